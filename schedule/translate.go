package schedule

import (
	"fmt"
	"slices"
	"strings"
)

// Limits on the text of a load function.
const (
	maxSource     = 4 << 10
	maxTranslated = 64 << 10
	maxNesting    = 100
)

// valueKind is what is known of an expression's value before it is evaluated.
type valueKind uint8

const (
	number  valueKind = iota // or None
	boolean                  // counts as 0 or 1 where a number is needed
	text                     // may only be returned, which is an error at its t
	list
)

// expression is a translated part: Starlark source, in parentheses where needed.
type expression struct {
	code string
	kind valueKind
}

// translator turns a Python lambda into Starlark, which has no ** and no chained
// comparisons, and where true is not 1. Whatever it does not know is an error,
// so nothing but arithmetic reaches the interpreter.
type translator struct {
	tokens    []token
	parameter string
	depth     int
}

// translate returns the Starlark source of a load function.
func translate(source string) (string, error) {
	if len(source) > maxSource {
		return "", fmt.Errorf("has %d bytes, at most %d are allowed", len(source), maxSource)
	}
	tokens, err := scan(source)
	if err != nil {
		return "", err
	}
	tr := &translator{tokens: tokens}
	code, err := tr.lambda()
	if err == nil && len(code) > maxTranslated {
		err = fmt.Errorf("is too long with all its comparisons written out")
	}
	return code, err
}

func (tr *translator) lambda() (string, error) {
	if !tr.take("lambda") {
		return "", tr.unexpected("must begin with lambda, as in lambda t: 10 * t")
	}
	name := tr.tokens[0]
	if name.kind != tokenName || isKeyword(name.text) || isFunction(name.text) {
		return "", tr.unexpected("lambda needs one parameter, the second t")
	}
	tr.parameter = name.text
	tr.tokens = tr.tokens[1:]
	if !tr.take(":") {
		return "", tr.unexpected("lambda needs one parameter and then a colon")
	}
	body, err := tr.conditional()
	if err != nil {
		return "", err
	}
	if tr.tokens[0].kind != tokenEnd {
		return "", tr.unexpected("the function should have ended")
	}
	return "lambda t: " + body.code, nil
}

// conditional is `a if c else b`.
func (tr *translator) conditional() (expression, error) {
	if tr.depth++; tr.depth > maxNesting {
		return expression{}, fmt.Errorf("is nested deeper than %d levels", maxNesting)
	}
	defer func() { tr.depth-- }()
	then, err := tr.disjunction()
	if err != nil || !tr.take("if") {
		return then, err
	}
	condition, err := tr.disjunction()
	if err != nil {
		return expression{}, err
	}
	if !tr.take("else") {
		return expression{}, tr.unexpected("if needs an else")
	}
	otherwise, err := tr.conditional()
	if err != nil {
		return expression{}, err
	}
	then, otherwise = unify(then, otherwise)
	return expression{
		code: "(" + then.code + " if " + condition.code + " else " + otherwise.code + ")",
		kind: max(then.kind, otherwise.kind),
	}, nil
}

// unify makes a truth beside a number a number.
func unify(a, b expression) (expression, expression) {
	if a.kind == boolean && b.kind == number {
		a = expression{code: "int(" + a.code + ")"}
	}
	if a.kind == number && b.kind == boolean {
		b = expression{code: "int(" + b.code + ")"}
	}
	return a, b
}

func (tr *translator) disjunction() (expression, error) { return tr.logical("or", tr.conjunction) }

func (tr *translator) conjunction() (expression, error) { return tr.logical("and", tr.negation) }

func (tr *translator) logical(word string, operand func() (expression, error)) (expression, error) {
	left, err := operand()
	for err == nil && tr.take(word) {
		var right expression
		right, err = operand()
		left, right = unify(left, right)
		left = expression{"(" + left.code + " " + word + " " + right.code + ")", max(left.kind, right.kind)}
	}
	return left, err
}

func (tr *translator) negation() (expression, error) {
	if !tr.take("not") {
		return tr.comparison()
	}
	if tr.depth++; tr.depth > maxNesting {
		return expression{}, fmt.Errorf("is nested deeper than %d levels", maxNesting)
	}
	defer func() { tr.depth-- }()
	operand, err := tr.negation()
	return expression{"(not " + operand.code + ")", boolean}, err
}

// comparison writes the chain a < b < c as a < b and b < c.
func (tr *translator) comparison() (expression, error) {
	left, err := tr.binary(0)
	if err != nil {
		return left, err
	}
	var parts []string
	for {
		op := tr.comparator()
		if op == "" {
			break
		}
		right, err := tr.binary(0)
		if err != nil {
			return right, err
		}
		if left, err = tr.asNumber(left); err != nil {
			return left, err
		}
		member := op == "in" || op == "not in"
		if member != (right.kind == list) {
			return right, tr.unexpected("%s needs a number before it and %s after it", op, map[bool]string{true: "a list", false: "a number"}[member])
		}
		if !member {
			if right, err = tr.asNumber(right); err != nil {
				return right, err
			}
		}
		parts = append(parts, left.code+" "+op+" "+right.code)
		left = right
	}
	if parts == nil {
		return left, nil
	}
	code := "(" + strings.Join(parts, " and ") + ")"
	if len(code) > maxTranslated {
		return expression{}, fmt.Errorf("is too long with all its comparisons written out")
	}
	return expression{code, boolean}, nil
}

// comparator takes a comparison operator, or nothing.
func (tr *translator) comparator() string {
	for _, op := range []string{"<", "<=", ">", ">=", "==", "!=", "in"} {
		if tr.take(op) {
			return op
		}
	}
	if tr.tokens[0].text == "not" && tr.tokens[1].text == "in" {
		tr.tokens = tr.tokens[2:]
		return "not in"
	}
	return ""
}

// levels are the binary operators from loosest to tightest; all group leftwards.
var levels = [][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "//", "%"}}

func (tr *translator) binary(level int) (expression, error) {
	if level == len(levels) {
		return tr.unary()
	}
	left, err := tr.binary(level + 1)
	for err == nil {
		op := tr.tokens[0]
		if op.kind != tokenOperator || !slices.Contains(levels[level], op.text) {
			break
		}
		tr.tokens = tr.tokens[1:]
		var right expression
		if right, err = tr.binary(level + 1); err != nil {
			break
		}
		left, err = tr.arithmetic("("+"%s "+op.text+" %s)", left, right)
	}
	return left, err
}

// unary binds tighter than * and looser than **: -x ** 2 is -(x ** 2).
func (tr *translator) unary() (expression, error) {
	op := tr.tokens[0]
	if op.kind != tokenOperator || !slices.Contains([]string{"-", "+", "~"}, op.text) {
		return tr.power()
	}
	tr.tokens = tr.tokens[1:]
	if tr.depth++; tr.depth > maxNesting {
		return expression{}, fmt.Errorf("is nested deeper than %d levels", maxNesting)
	}
	defer func() { tr.depth-- }()
	operand, err := tr.unary()
	if err != nil {
		return operand, err
	}
	return tr.arithmetic("("+op.text+"%s)", operand)
}

// power groups rightwards, and its exponent may have a sign: 2 ** -x ** 2.
func (tr *translator) power() (expression, error) {
	base, err := tr.primary()
	if err != nil || !tr.take("**") {
		return base, err
	}
	exponent, err := tr.unary()
	if err != nil {
		return exponent, err
	}
	return tr.arithmetic("pow(%s, %s)", base, exponent)
}

// arithmetic fills a template with operands that must be numbers.
func (tr *translator) arithmetic(template string, operands ...expression) (expression, error) {
	var codes []any
	for _, operand := range operands {
		operand, err := tr.asNumber(operand)
		if err != nil {
			return operand, err
		}
		codes = append(codes, operand.code)
	}
	// The templates hold % only as a verb or as the operator.
	template = strings.Replace(template, " % ", " %% ", 1)
	return expression{code: fmt.Sprintf(template, codes...)}, nil
}

// asNumber makes a truth 0 or 1 and refuses texts and lists.
func (tr *translator) asNumber(e expression) (expression, error) {
	switch e.kind {
	case boolean:
		return expression{code: "int(" + e.code + ")"}, nil
	case text:
		return e, tr.unexpected("a text is not a number")
	case list:
		return e, tr.unexpected("a list is not a number")
	}
	return e, nil
}

// take consumes the next token when it is the given operator or word.
func (tr *translator) take(word string) bool {
	if t := tr.tokens[0]; t.kind == tokenOperator || t.kind == tokenName {
		if t.text == word {
			tr.tokens = tr.tokens[1:]
			return true
		}
	}
	return false
}

// unexpected is an error at the next token.
func (tr *translator) unexpected(format string, args ...any) error {
	t := tr.tokens[0]
	return fmt.Errorf("column %d, at %s: %s", t.column, t.text, fmt.Sprintf(format, args...))
}
