package dataset

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// media makes pictures and sounds. Each is another one, so that no cache of what a
// server has looked at before helps it.
type media struct {
	images *workload.Images
	audio  *workload.Audio
	draws  draw.Stream
}

// newMedia is nil when the spec asks for none.
func newMedia(spec *workload.Spec) *media {
	d, _ := spec.WithDefaults() // what is not said has its default here, too
	if d.Dataset.Images == nil && d.Dataset.Audio == nil {
		return nil
	}
	return &media{d.Dataset.Images, d.Dataset.Audio, draw.NewStream(spec.Seed, "media", 0)}
}

// maxParts is beyond the parts of one kind in a message.
const maxParts = 1 << 8

// parts are the parts of turn t of session i.
func (m *media) parts(i int64, t int) string {
	if m == nil {
		return ""
	}
	var list []string
	at := (i*maxTurnsDrawn + int64(t)) * 2 * maxParts
	if m.images != nil {
		for k := range m.images.Count {
			list = append(list, imagePart(m.images, m.draws.Sequence(at+int64(k))))
		}
	}
	if m.audio != nil {
		for k := range m.audio.Count {
			list = append(list, audioPart(m.audio.Duration.D(), m.draws.Sequence(at+maxParts+int64(k))))
		}
	}
	return strings.Join(list, ",")
}

// patch is the side of the squares of one color that a picture is made of.
const patch = 16

// imagePart is a picture of colored squares as a part of a message.
func imagePart(spec *workload.Images, draws draw.Sequence) string {
	picture := image.NewRGBA(image.Rect(0, 0, spec.Width, spec.Height))
	for y := 0; y < spec.Height; y += patch {
		for x := 0; x < spec.Width; x += patch {
			bits := draws.Next()
			c := color.RGBA{byte(bits), byte(bits >> 8), byte(bits >> 16), 255}
			for dy := range min(patch, spec.Height-y) {
				for dx := range min(patch, spec.Width-x) {
					picture.SetRGBA(x+dx, y+dy, c)
				}
			}
		}
	}
	var b bytes.Buffer
	var err error
	if spec.Format == workload.FormatPNG {
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, picture)
	} else {
		err = jpeg.Encode(&b, picture, nil)
	}
	if err != nil { // a buffer takes everything, and the sizes were checked
		return ""
	}
	return fmt.Sprintf(`{"type":"image_url","image_url":{"url":"data:image/%s;base64,%s"}}`, spec.Format, base64.StdEncoding.EncodeToString(b.Bytes()))
}

// sampleRate is that of sounds, in 1/s.
const sampleRate = 16000

// audioPart is a tone that changes its pitch ten times a second, as a part of a
// message: WAV, mono, 16 bit.
func audioPart(length time.Duration, draws draw.Sequence) string {
	samples := int(length.Seconds() * sampleRate)
	var b bytes.Buffer
	b.Grow(44 + 2*samples)
	b.WriteString("RIFF")
	for _, v := range []any{uint32(36 + 2*samples), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1),
		uint32(sampleRate), uint32(2 * sampleRate), uint16(2), uint16(16), []byte("data"), uint32(2 * samples)} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes everything
	}
	phase, step := 0.0, 0.0
	var two [2]byte
	for n := range samples {
		if n%(sampleRate/10) == 0 {
			step = 2 * math.Pi * float64(100+draws.Next()%900) / sampleRate
		}
		phase += step
		binary.LittleEndian.PutUint16(two[:], uint16(int16(8000*math.Sin(phase))))
		b.Write(two[:])
	}
	return fmt.Sprintf(`{"type":"input_audio","input_audio":{"data":"%s","format":"wav"}}`, base64.StdEncoding.EncodeToString(b.Bytes()))
}
