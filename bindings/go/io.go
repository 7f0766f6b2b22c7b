package spscshm

import (
	"errors"
	"io"
)

var (
	_ io.ReadWriteCloser = (*Ring)(nil)
	_ io.WriterTo        = (*Ring)(nil)
	_ io.ReaderFrom      = (*Ring)(nil)
)

// Write sends all of p, however long, and waits for space as long as that takes.
func (r *Ring) Write(p []byte) (int, error) {
	if err := r.enter(opClaimSome); err != nil {
		return 0, err
	}
	defer r.leave(opClaimSome)
	return r.write(p)
}

func (r *Ring) write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		// A byte is enough: to wait for more could be to wait for a peer that waits for us.
		space, err := r.wait(opClaimSome, 1, Forever)
		if err != nil {
			return written, err
		}
		n := copy(space, p[written:])
		if err := r.handOver(opPublish, n); err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// Read waits until something is there, and takes what fits into p. After the producer has closed
// its handle and all is read, it returns io.EOF; the producer's death is ErrPeerDead.
func (r *Ring) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.enter(opPeekSome); err != nil {
		return 0, err
	}
	defer r.leave(opPeekSome)
	data, err := r.wait(opPeekSome, 1, Forever)
	if err != nil {
		return 0, endOfFile(err)
	}
	n := copy(p, data)
	return n, r.handOver(opRelease, n)
}

// WriteTo writes to w all that comes until the producer closes its handle, straight from the
// shared memory.
func (r *Ring) WriteTo(w io.Writer) (int64, error) {
	if err := r.enter(opPeekSome); err != nil {
		return 0, err
	}
	defer r.leave(opPeekSome)
	total := int64(0)
	for {
		data, err := r.wait(opPeekSome, 1, Forever)
		if err != nil {
			if endOfFile(err) == io.EOF {
				err = nil
			}
			return total, err
		}
		n, err := w.Write(data)
		if released := r.handOver(opRelease, n); released != nil && err == nil {
			err = released
		} else if n < len(data) && err == nil {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total + int64(n), err
		}
		total += int64(n)
	}
}

// ReadFrom sends all that src gives until its end, which it reads straight into the shared memory
// where that has room.
func (r *Ring) ReadFrom(src io.Reader) (int64, error) {
	// Into less than this it is not worth while to read.
	const leastDirect = 1024
	// From many readers in a row without an error or a byte nothing will ever come.
	const mostEmpty = 100

	if err := r.enter(opClaimSome); err != nil {
		return 0, err
	}
	defer r.leave(opClaimSome)
	var aside []byte
	total := int64(0)
	for empty := 0; ; {
		space, err := r.wait(opClaimSome, 0, 0)
		if err != nil {
			return total, err
		}
		var n int
		var sent error
		if len(space) >= leastDirect {
			n, err = src.Read(space)
			sent = r.handOver(opPublish, n)
		} else {
			// To wait for room first would be to wait with the end of src unseen, perhaps for a
			// consumer that waits to be told of that end.
			if aside == nil {
				aside = make([]byte, leastDirect)
			}
			n, err = src.Read(aside)
			n, sent = r.write(aside[:n])
		}
		if sent != nil {
			return total, sent
		}
		total += int64(n)
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, err
		case n > 0:
			empty = 0
		default:
			if empty++; empty == mostEmpty {
				return total, io.ErrNoProgress
			}
		}
	}
}

// endOfFile is io's word for a producer that closed.
func endOfFile(err error) error {
	if errors.Is(err, ErrClosed) {
		return io.EOF
	}
	return err
}
