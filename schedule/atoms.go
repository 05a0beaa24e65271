package schedule

import (
	"slices"
	"strings"
)

var keywords = []string{"if", "else", "and", "or", "not", "in", "is", "lambda", "None", "True", "False", "for", "math"}

func isKeyword(name string) bool { return slices.Contains(keywords, name) }

// primary is an atom, a call, a constant of math, or an element of a list.
func (tr *translator) primary() (expression, error) {
	t := tr.tokens[0]
	switch {
	case t.kind == tokenNumber:
		tr.tokens = tr.tokens[1:]
		return expression{code: strings.ReplaceAll(t.text, "_", "")}, nil
	case t.kind == tokenText:
		tr.tokens = tr.tokens[1:]
		return expression{code: t.text, kind: text}, nil
	case t.kind == tokenName:
		return tr.name(t)
	case tr.take("("):
		return tr.parenthesis()
	case tr.take("["):
		return tr.listed("]", nil)
	}
	return expression{}, tr.unexpected("a number, %s, or a function should stand here", tr.parameter)
}

// name is the parameter, a constant, or a call.
func (tr *translator) name(t token) (expression, error) {
	switch t.text {
	case tr.parameter: // named t in the translation, whatever it was, so that it hides nothing
		tr.tokens = tr.tokens[1:]
		return expression{code: "t"}, nil
	case "None":
		tr.tokens = tr.tokens[1:]
		return expression{code: "None"}, nil
	case "True", "False":
		tr.tokens = tr.tokens[1:]
		return expression{code: t.text, kind: boolean}, nil
	case "math":
		return tr.member()
	}
	if !isFunction(t.text) {
		return expression{}, tr.unknown(t.text)
	}
	tr.tokens = tr.tokens[1:]
	if !tr.take("(") {
		return expression{}, tr.unexpected("%s needs its arguments in parentheses", t.text)
	}
	return tr.call(t.text)
}

// member is math.NAME, called when it is a function.
func (tr *translator) member() (expression, error) {
	tr.tokens = tr.tokens[1:]
	if !tr.take(".") {
		return expression{}, tr.unexpected("math needs a member, as in math.sqrt(t)")
	}
	t := tr.tokens[0]
	_, isConstant := mathConstants[t.text]
	_, isCall := mathFunctions[t.text]
	switch {
	case t.kind == tokenName && isConstant:
		tr.tokens = tr.tokens[1:]
		return expression{code: mathName(t.text)}, nil
	case t.kind != tokenName || !isCall:
		return expression{}, tr.unexpected("math has no such member; it has %s", strings.Join(mathMembers(), " "))
	}
	tr.tokens = tr.tokens[1:]
	if !tr.take("(") {
		return expression{}, tr.unexpected("math.%s needs its arguments in parentheses", t.text)
	}
	return tr.call(mathName(t.text))
}

// call translates arguments up to the closing parenthesis.
func (tr *translator) call(function string) (expression, error) {
	var codes []string
	for !tr.take(")") {
		if len(codes) > 0 && !tr.take(",") {
			return expression{}, tr.unexpected("a comma or a closing parenthesis should stand here")
		}
		argument, err := tr.conditional()
		if err != nil {
			return expression{}, err
		}
		if argument.kind != list || function != "min" && function != "max" {
			if argument, err = tr.asNumber(argument); err != nil {
				return expression{}, err
			}
		}
		codes = append(codes, argument.code)
	}
	return expression{code: function + "(" + strings.Join(codes, ", ") + ")"}, nil
}

// parenthesis is an expression in parentheses, or a list written with them.
func (tr *translator) parenthesis() (expression, error) {
	first, err := tr.conditional()
	if err != nil {
		return first, err
	}
	if tr.tokens[0].text == "," && tr.tokens[0].kind == tokenOperator {
		return tr.listed(")", &first)
	}
	if !tr.take(")") {
		return expression{}, tr.unexpected("a closing parenthesis should stand here")
	}
	return first, nil
}

// listed translates the elements of a list up to its end, and an index after it.
// first is an element that was read already.
func (tr *translator) listed(end string, first *expression) (expression, error) {
	var codes []string
	for first != nil || !tr.take(end) {
		element, err := tr.element(first)
		if err != nil {
			return element, err
		}
		first = nil
		codes = append(codes, element.code)
		if !tr.take(",") && tr.tokens[0].text != end {
			return expression{}, tr.unexpected("a comma or %s should stand here", end)
		}
	}
	return tr.indexed(codes)
}

// element is the next number of a list, or the one that was read already.
func (tr *translator) element(read *expression) (expression, error) {
	if read != nil {
		return tr.asNumber(*read)
	}
	e, err := tr.conditional()
	if err != nil {
		return e, err
	}
	return tr.asNumber(e)
}

func (tr *translator) indexed(codes []string) (expression, error) {
	whole := expression{"[" + strings.Join(codes, ", ") + "]", list}
	if !tr.take("[") {
		return whole, nil
	}
	index, err := tr.conditional()
	if err == nil {
		index, err = tr.asNumber(index)
	}
	if err == nil && !tr.take("]") {
		err = tr.unexpected("a closing bracket should stand here")
	}
	return expression{code: whole.code + "[" + index.code + "]"}, err
}

// unknown is the error for a name that means nothing.
func (tr *translator) unknown(name string) error {
	if _, ok := mathFunctions[name]; ok {
		return tr.unexpected("there is no such name; did you mean math.%s?", name)
	}
	return tr.unexpected("there is no such name; known are %s, %s and math's members", tr.parameter, strings.Join(functionNames, " "))
}
