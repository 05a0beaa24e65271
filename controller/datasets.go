package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/source"
)

// corpusPiece is how many bytes of data one message to an agent carries.
const corpusPiece = 256 << 10

// UploadDataset implements the rpc.
func (t testService) UploadDataset(stream grpc.ClientStreamingServer[stampedev1.UploadDatasetRequest, stampedev1.UploadDatasetResponse]) error {
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return rpcError(fmt.Errorf("the upload is empty: %w", errInvalid))
	}
	if err != nil {
		return err
	}
	name := filepath.Base(filepath.ToSlash(first.GetFileName()))
	if first.GetFileName() == "" || len(name) > maxNameBytes || !printable(name) {
		return rpcError(fmt.Errorf("file_name: must be 1 to %d printable bytes in the first piece, got %.80q: %w", maxNameBytes, first.GetFileName(), errInvalid))
	}
	if hash := first.GetCorpusHash(); hash != "" && t.c.files.hasCorpus(hash) {
		return stream.SendAndClose(&stampedev1.UploadDatasetResponse{CorpusHash: hash, SizeBytes: int64(len(first.GetData()))})
	}
	in := &uploadReader{piece: first.GetData(), stream: stream}
	if first.GetVerbatim() {
		k, err := t.c.files.keepVerbatim(name, in, t.c.cfg.MaxUpload)
		if err != nil {
			return rpcError(err)
		}
		return stream.SendAndClose(&stampedev1.UploadDatasetResponse{CorpusHash: k.hash, SizeBytes: k.size})
	}
	k, err := t.c.files.keepUpload(stream.Context(), name, first.GetSchema(), in, t.c.cfg.MaxUpload)
	if err != nil {
		return rpcError(err)
	}
	t.c.log.Info("data uploaded", "name", name, "bytes", k.size, "hash", k.hash)
	return stream.SendAndClose(&stampedev1.UploadDatasetResponse{CorpusHash: k.hash, SizeBytes: k.size})
}

// ListDatasets implements the rpc.
func (t testService) ListDatasets(context.Context, *stampedev1.ListDatasetsRequest) (*stampedev1.ListDatasetsResponse, error) {
	all := []*stampedev1.DatasetInfo{{Name: workload.DatasetSynthetic, Description: "prompts of random words, as long as is asked for"}}
	for _, d := range source.NamedDatasets() {
		all = append(all, &stampedev1.DatasetInfo{Name: d.Name, Description: d.Description, Repository: d.Repository})
	}
	return &stampedev1.ListDatasetsResponse{Datasets: all}, nil
}

// uploadReader reads the pieces of an upload as one stream.
type uploadReader struct {
	piece  []byte
	stream grpc.ClientStreamingServer[stampedev1.UploadDatasetRequest, stampedev1.UploadDatasetResponse]
}

// Read implements io.Reader.
func (u *uploadReader) Read(p []byte) (int, error) {
	for len(u.piece) == 0 {
		m, err := u.stream.Recv()
		if err != nil {
			return 0, err
		}
		u.piece = m.GetData()
	}
	n := copy(p, u.piece)
	u.piece = u.piece[n:]
	return n, nil
}

// FetchCorpus implements the rpc.
func (a agentService) FetchCorpus(req *stampedev1.FetchCorpusRequest, stream grpc.ServerStreamingServer[stampedev1.FetchCorpusResponse]) error {
	path, err := a.c.files.corpus(req.GetCorpusHash())
	if err != nil {
		return rpcError(err)
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return rpcError(fmt.Errorf("data with hash %s: %w", req.GetCorpusHash(), store.ErrNotExist))
	}
	if err != nil {
		return rpcError(fmt.Errorf("read data: %w", err))
	}
	defer f.Close()
	buf := make([]byte, corpusPiece)
	for {
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			if err := stream.Send(&stampedev1.FetchCorpusResponse{Data: buf[:n]}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return rpcError(fmt.Errorf("read data: %w", err))
		}
	}
}
