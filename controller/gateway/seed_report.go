package gateway

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/report/plot"
)

const noReport = "Report not found"

func (g *Gateway) seedHash(w http.ResponseWriter, r *seedRequest) {
	_, run := g.find(r.id)
	if run == nil || !run.Ended() || run.WorkloadHash == "" {
		writeDetail(w, http.StatusNotFound, "Workload hash not found")
		return
	}
	writeJSON(w, http.StatusOK, run.WorkloadHash)
}

func (g *Gateway) seedReport(w http.ResponseWriter, r *seedRequest) {
	if raw := g.report(r.id); raw != nil {
		writeRaw(w, http.StatusOK, raw)
		return
	}
	writeDetail(w, http.StatusNotFound, noReport)
}

// report returns what an id's report_ID.json holds, or nil when there is none.
func (g *Gateway) report(id string) []byte {
	raw, err := g.cfg.Control.Report(id)
	if err != nil {
		return nil
	}
	return raw
}

// drawing draws a report as a PNG.
type drawing func(io.Writer, *report.Report) error

// plots draws one picture at a time: it takes a processor, which a load that is
// under way may need.
type plots struct {
	requests, throughput drawing
	turn                 chan struct{} // of capacity 1
}

func newPlots() plots {
	return plots{requests: plot.RequestsPNG, throughput: plot.ThroughputPNG, turn: make(chan struct{}, 1)}
}

func (p *plots) draw(ctx context.Context, raw []byte, d drawing) ([]byte, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.turn }()
	return drawn(raw, d)
}

func (g *Gateway) seedThroughputPlot(w http.ResponseWriter, r *seedRequest) {
	g.seedPlot(w, r, g.plots.throughput)
}

func (g *Gateway) seedRequestsPlot(w http.ResponseWriter, r *seedRequest) {
	g.seedPlot(w, r, g.plots.requests)
}

func (g *Gateway) seedPlot(w http.ResponseWriter, r *seedRequest, draw drawing) {
	raw := g.report(r.id)
	if raw == nil {
		writeDetail(w, http.StatusNotFound, noReport)
		return
	}
	picture, err := g.plots.draw(r.Context(), raw, draw)
	if err != nil {
		g.log.Error("plot is not drawn", "id", shown(r.id), "err", err)
		writeDetail(w, http.StatusInternalServerError, "the plot could not be drawn")
		return
	}
	w.Header().Set("Content-Type", typePNG)
	_, _ = w.Write(picture)
}

func drawn(raw []byte, draw drawing) ([]byte, error) {
	rep, err := report.Parse(raw)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := draw(&out, rep); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// seedDownload answers with a zip of an ended run's files, and of the plots when
// they are not among them.
func (g *Gateway) seedDownload(w http.ResponseWriter, r *seedRequest) {
	_, run := g.find(r.id)
	raw := g.report(r.id)
	if run == nil || raw == nil {
		writeDetail(w, http.StatusNotFound, noReport)
		return
	}
	w.Header().Set("Content-Type", typeZIP)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", r.id+".zip"))
	if err := g.archive(r.Context(), w, run, r.id, raw); err != nil {
		g.log.Error("download is not whole", "id", r.id, "err", err)
		panic(http.ErrAbortHandler) //nolint:forbidigo // the status is sent; only a broken connection can tell
	}
}

func (g *Gateway) archive(ctx context.Context, w io.Writer, run *store.Run, id string, raw []byte) error {
	files, err := g.cfg.Control.Artefacts(run.TestID, id)
	if err != nil {
		return err
	}
	files = g.complete(ctx, files, id, raw)
	archive := zip.NewWriter(w)
	for _, f := range files {
		if err := addFile(archive, f, run.EndTime); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return archive.Close()
}

// complete adds what is in memory alone or can be drawn.
func (g *Gateway) complete(ctx context.Context, files []Artefact, id string, raw []byte) []Artefact {
	add := func(name string, content func() ([]byte, error)) {
		if slices.ContainsFunc(files, func(f Artefact) bool { return f.Name == name }) {
			return
		}
		b, err := content()
		if err != nil {
			g.log.Error("artefact is not in the download", "name", name, "err", err)
			return
		}
		files = append(files, Artefact{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }})
	}
	add("report_"+id+".json", func() ([]byte, error) { return raw, nil })
	add("rs_"+id+".png", func() ([]byte, error) { return g.plots.draw(ctx, raw, g.plots.requests) })
	add("tp_"+id+".png", func() ([]byte, error) { return g.plots.draw(ctx, raw, g.plots.throughput) })
	slices.SortFunc(files, func(a, b Artefact) int { return strings.Compare(a.Name, b.Name) })
	return files
}

func addFile(archive *zip.Writer, f Artefact, modified time.Time) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := archive.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: modified})
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
