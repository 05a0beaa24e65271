package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/runtime/protoiface"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Request is a stampede.v1.SessionRequest on the wire, either a batch of samples
// that stays encoded or any other message. gRPC's own codec sends and receives
// it: a batch is then copied once and its samples are not touched.
type Request struct {
	Batch   []byte // an encoded stampede.v1.SampleBatch, or nil
	Message *stampedev1.SessionRequest
}

const requestBatch = 4 // field of SessionRequest

// ProtoReflect implements proto.Message.
func (r *Request) ProtoReflect() protoreflect.Message {
	return requestReflection{Message: r.message().ProtoReflect(), r: r}
}

// Reset implements what proto.Reset asks for.
func (r *Request) Reset() { *r = Request{} }

func (r *Request) message() *stampedev1.SessionRequest {
	if r.Message == nil {
		return &stampedev1.SessionRequest{}
	}
	return r.Message
}

// requestReflection lends Request the descriptor of the message it stands for.
type requestReflection struct {
	protoreflect.Message
	r *Request
}

// Interface implements protoreflect.Message.
func (m requestReflection) Interface() protoreflect.ProtoMessage { return m.r }

// ProtoMethods implements protoreflect.Message.
func (m requestReflection) ProtoMethods() *protoiface.Methods { return &requestMethods }

var requestMethods = protoiface.Methods{
	Size: func(in protoiface.SizeInput) protoiface.SizeOutput {
		return protoiface.SizeOutput{Size: request(in.Message).size()}
	},
	Marshal: func(in protoiface.MarshalInput) (protoiface.MarshalOutput, error) {
		return request(in.Message).marshal(in)
	},
	Unmarshal: func(in protoiface.UnmarshalInput) (protoiface.UnmarshalOutput, error) {
		return request(in.Message).unmarshal(in)
	},
}

func request(m protoreflect.Message) *Request { return m.Interface().(*Request) }

func (r *Request) size() int {
	if r.Batch == nil {
		return proto.Size(r.message())
	}
	return protowire.SizeTag(requestBatch) + protowire.SizeBytes(len(r.Batch))
}

func (r *Request) marshal(in protoiface.MarshalInput) (out protoiface.MarshalOutput, err error) {
	if r.Batch == nil {
		out.Buf, err = proto.MarshalOptions{}.MarshalAppend(in.Buf, r.message())
		return out, err
	}
	out.Buf = protowire.AppendBytes(appendTag(in.Buf, requestBatch, protowire.BytesType), r.Batch)
	return out, nil
}

// unmarshal keeps a batch as it is when it is all there is. A message put
// together in any other way, as protobuf allows, is read by protobuf.
func (r *Request) unmarshal(in protoiface.UnmarshalInput) (out protoiface.UnmarshalOutput, err error) {
	out.Flags = protoiface.UnmarshalInitialized
	if batch, ok := onlyBatch(in.Buf); ok {
		r.Batch = append(make([]byte, 0, len(batch)), batch...)
		return out, nil
	}
	m := &stampedev1.SessionRequest{}
	if err := proto.Unmarshal(in.Buf, m); err != nil {
		return out, err
	}
	if b := m.GetSampleBatch(); b != nil {
		r.Batch, err = proto.MarshalOptions{}.MarshalAppend([]byte{}, b)
		return out, err
	}
	r.Message = m
	return out, nil
}

func onlyBatch(data []byte) (batch []byte, ok bool) {
	field, kind, n := protowire.ConsumeTag(data)
	if n < 0 || field != requestBatch || kind != protowire.BytesType {
		return nil, false
	}
	batch, m := protowire.ConsumeBytes(data[n:])
	return batch, m >= 0 && n+m == len(data)
}
