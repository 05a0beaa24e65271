// Command protoc-gen-stampededoc writes the reference pages of spec files and of
// the services from the proto files and their comments. It is run by buf and
// knows nothing but what the proto files say.
package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"
)

const mark = "<!-- generated from the proto files by make generate; do not edit -->\n\n"

func main() {
	protogen.Options{}.Run(func(p *protogen.Plugin) error {
		p.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
		pages := map[string]func(*protogen.GeneratedFile, *protogen.File){
			"stampede/v1/spec.proto": specPage, "stampede/v1/test_service.proto": servicePage,
		}
		for _, file := range p.Files {
			page := pages[file.Desc.Path()]
			if page == nil || !file.Generate {
				continue
			}
			name := strings.TrimSuffix(file.Desc.Path()[strings.LastIndexByte(file.Desc.Path(), '/')+1:], ".proto")
			page(p.NewGeneratedFile(strings.ReplaceAll(name, "_", "-")+".md", ""), file)
		}
		return nil
	})
}

// specPage has one table a section of the spec, in the order of the file.
func specPage(out *protogen.GeneratedFile, file *protogen.File) {
	out.P("# The spec, key by key\n\n", mark,
		"YAML or JSON; snake_case and lowerCamel are both read. Durations are written as people write them (`500ms`, `1h30m`) or",
		" in protojson's form (`0.5s`). Unknown keys are errors. `stampede plan -f FILE` says what a spec would do;",
		" `stampede run -f FILE --print-spec` prints it completed.\n")
	for _, m := range file.Messages {
		title := "`" + section(file, m) + "`"
		if m.Desc.Name() == "Spec" {
			title = "The top"
		}
		out.P("## ", title, "\n\n", prose(m.Comments.Leading), "\n\n| key | type | meaning |\n|---|---|---|")
		for _, f := range m.Fields {
			out.P("| `", f.Desc.Name(), "` | ", typeOf(f), " | ", cell(f.Comments.Leading), " |")
		}
		out.P()
	}
}

// section is where in a spec a message stands: the path of the first key that
// holds it.
func section(file *protogen.File, m *protogen.Message) string {
	for _, parent := range file.Messages {
		for _, f := range parent.Fields {
			if f.Message != m || f.Desc.IsMap() {
				continue
			}
			name := string(f.Desc.Name())
			if f.Desc.IsList() {
				name += "[]"
			}
			if parent.Desc.Name() == "Spec" || parent == m {
				return name
			}
			return section(file, parent) + "." + name
		}
	}
	return strings.ToLower(string(m.Desc.Name()))
}

// servicePage lists the rpcs with their messages.
func servicePage(out *protogen.GeneratedFile, file *protogen.File) {
	out.P("# The rpcs of the control plane\n\n", mark,
		"The server knows its own schema (reflection), so `grpcurl` needs no .proto file. The same calls stand as JSON under `/v1`",
		" on the HTTP port: `/openapi.json` describes them.\n")
	for _, s := range file.Services {
		out.P("## `", s.Desc.FullName(), "`\n\n", prose(s.Comments.Leading), "\n")
		for _, m := range s.Methods {
			out.P("### ", m.Desc.Name(), "\n\n", prose(m.Comments.Leading), "\n")
			message(out, "Takes", m.Input, m.Desc.IsStreamingClient())
			message(out, "Answers", m.Output, m.Desc.IsStreamingServer())
		}
	}
}

func message(out *protogen.GeneratedFile, verb string, m *protogen.Message, stream bool) {
	what := "`" + string(m.Desc.Name()) + "`"
	if stream {
		what = "a stream of " + what
	}
	if len(m.Fields) == 0 {
		out.P(verb, " ", what, ", which is empty.\n")
		return
	}
	out.P(verb, " ", what, ":\n\n| field | type | meaning |\n|---|---|---|")
	for _, f := range m.Fields {
		out.P("| `", f.Desc.Name(), "` | ", typeOf(f), " | ", cell(f.Comments.Leading), " |")
	}
	out.P()
}

func typeOf(f *protogen.Field) string {
	switch {
	case f.Desc.IsMap():
		return "map of " + kind(f.Message.Fields[0]) + " to " + kind(f.Message.Fields[1])
	case f.Desc.IsList():
		return "list of " + kind(f)
	}
	return kind(f)
}

var plainKinds = map[protoreflect.Kind]string{
	protoreflect.StringKind: "string", protoreflect.BoolKind: "true or false", protoreflect.BytesKind: "bytes",
	protoreflect.Int32Kind: "integer", protoreflect.Int64Kind: "integer", protoreflect.DoubleKind: "number", protoreflect.FloatKind: "number",
}

func kind(f *protogen.Field) string {
	switch {
	case f.Message != nil:
		switch f.Message.Desc.FullName() {
		case "google.protobuf.Duration":
			return "duration"
		case "google.protobuf.Timestamp":
			return "moment"
		case "google.protobuf.Struct":
			return "object"
		}
		return "`" + string(f.Message.Desc.Name()) + "`"
	case f.Enum != nil:
		return "`" + string(f.Enum.Desc.Name()) + "`"
	}
	return plainKinds[f.Desc.Kind()]
}

func prose(c protogen.Comments) string {
	return strings.Join(strings.Fields(string(c)), " ")
}

func cell(c protogen.Comments) string {
	text := prose(c)
	if text == "" {
		panic(fmt.Sprintf("a field without a comment: %q", c))
	}
	return strings.ReplaceAll(text, "|", `\|`)
}
