package catalog

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
	"unicode/utf8"
)

const logName = "decisions.jsonl"

// A Verdict is a person's answer to whether a label fits a photo.
type Verdict int8

const (
	Reject   Verdict = -1
	Withdraw Verdict = 0 // an earlier answer is taken back
	Accept   Verdict = 1
)

var verdicts = map[Verdict]string{Reject: "reject", Withdraw: "withdraw", Accept: "accept"}

func (v Verdict) String() string { return verdicts[v] }

// MarshalText returns "accept", "reject" or "withdraw".
func (v Verdict) MarshalText() ([]byte, error) {
	name, ok := verdicts[v]
	if !ok {
		return nil, fmt.Errorf("%d is not a verdict", v)
	}
	return []byte(name), nil
}

// UnmarshalText reads what MarshalText writes.
func (v *Verdict) UnmarshalText(text []byte) error {
	for verdict, name := range verdicts {
		if name == string(text) {
			*v = verdict
			return nil
		}
	}
	return fmt.Errorf("%q is not a verdict", text)
}

// A Decision is a person's answer, and a line of decisions.jsonl.
type Decision struct {
	Photo   Hash      `json:"photo"`
	Label   string    `json:"label"`
	Verdict Verdict   `json:"verdict"`
	When    time.Time `json:"when"`
	Who     string    `json:"who,omitempty"`
}

// Decide appends answers to decisions.jsonl, syncs it, and only then stores
// them in the database. An answer without a time is given now.
func (c *Catalog) Decide(ctx context.Context, decisions ...Decision) error {
	const doing = "store answers"
	decisions = slices.Clone(decisions)
	for i := range decisions {
		if decisions[i].When.IsZero() {
			decisions[i].When = time.Now()
		}
	}
	lines, err := encodeLines(decisions)
	if err != nil {
		return c.wrap(doing, err)
	}
	return c.write(ctx, doing, func(tx *sql.Tx) error {
		if err := c.replay(ctx, tx); err != nil {
			return err
		}
		end, err := appendLog(c.path(logName), lines)
		if err != nil {
			return err
		}
		return storeDecisions(ctx, tx, decisions, end)
	})
}

func encodeLines(decisions []Decision) ([]byte, error) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, d := range decisions {
		if d.Photo == (Hash{}) {
			return nil, errNoHash
		}
		if d.Label == "" || !utf8.ValidString(d.Label) || !utf8.ValidString(d.Who) {
			return nil, fmt.Errorf("label %q by %q is not text", d.Label, d.Who)
		}
		if err := encoder.Encode(d); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

// appendLog appends lines and syncs, or changes nothing. It returns where the
// log then ends.
func appendLog(path string, lines []byte) (end int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	start, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(lines)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		// Half a line would spoil the next.
		return 0, errors.Join(err, f.Truncate(start))
	}
	return start + int64(len(lines)), nil
}

func storeDecisions(ctx context.Context, tx *sql.Tx, decisions []Decision, end int64) error {
	s, err := prepare(ctx, tx,
		"INSERT OR REPLACE INTO decisions (photo, label, verdict, made, who) VALUES (?, ?, ?, ?, ?)",
		"DELETE FROM decisions WHERE photo = ? AND label = ?")
	if err != nil {
		return err
	}
	for _, d := range decisions {
		if d.Verdict == Withdraw {
			_, err = s[1].ExecContext(ctx, d.Photo[:], d.Label)
		} else {
			_, err = s[0].ExecContext(ctx, d.Photo[:], d.Label, int(d.Verdict), d.When.UnixNano(), d.Who)
		}
		if err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "UPDATE replayed SET bytes = ?", end)
	return err
}

// Decisions returns the last answer for each photo and label, but for those
// that were taken back.
func (c *Catalog) Decisions(ctx context.Context) ([]Decision, error) {
	list, err := listDecisions(ctx, c.db)
	return list, c.wrap("list answers", err)
}

func listDecisions(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) ([]Decision, error) {
	var list []Decision
	var photo sql.RawBytes
	const query = "SELECT photo, label, verdict, made, who FROM decisions"
	err := eachRow(ctx, db, query, nil, func(scan func(...any) error) error {
		var d Decision
		var made sql.NullInt64
		err := scan(&photo, &d.Label, &d.Verdict, &made, &d.Who)
		d.Photo, d.When = hashOf(photo), timeOf(made)
		list = append(list, d)
		return err
	})
	return list, err
}

// History returns all answers about a photo, the oldest first, those among
// them that others have taken the place of, or that were taken back.
func (c *Catalog) History(ctx context.Context, photo Hash) ([]Decision, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(c.path(logName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, c.wrap("list answers", err)
	}
	decisions, _ := decodeLines(data)
	return slices.DeleteFunc(decisions, func(d Decision) bool { return d.Photo != photo }), nil
}

// logBehind reports whether log and database are apart.
func (c *Catalog) logBehind(ctx context.Context) (bool, error) {
	var known int64
	if err := c.db.QueryRowContext(ctx, "SELECT bytes FROM replayed").Scan(&known); err != nil {
		return false, err
	}
	size, err := logSize(c.path(logName))
	return size != known, err
}

// logSize returns the size of the log, 0 if there is none.
func logSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// replay stores the answers that are in the log only. If the log has lost
// answers, they are written to it again.
func (c *Catalog) replay(ctx context.Context, tx *sql.Tx) error {
	var known int64
	if err := tx.QueryRowContext(ctx, "SELECT bytes FROM replayed").Scan(&known); err != nil {
		return err
	}
	path := c.path(logName)
	size, err := logSize(path)
	if err != nil || size == known {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	end, err := closeLog(path, data)
	if err != nil {
		return err
	}
	data = data[:min(end, int64(len(data)))]
	if end >= known {
		decisions, _ := decodeLines(data[known:])
		return storeDecisions(ctx, tx, decisions, end)
	}
	stored, err := listDecisions(ctx, tx)
	if err != nil {
		return err
	}
	logged, _ := decodeLines(data)
	lines, err := encodeLines(lost(logged, stored))
	if err != nil {
		return err
	}
	if end, err = appendLog(path, lines); err != nil {
		return err
	}
	return storeDecisions(ctx, tx, nil, end)
}

// lost returns the answers that lead from what is logged to what is stored.
func lost(logged, stored []Decision) []Decision {
	type question struct {
		photo Hash
		label string
	}
	last := make(map[question]Decision)
	for _, d := range logged {
		last[question{d.Photo, d.Label}] = d
	}
	var list []Decision
	for _, d := range stored {
		q := question{d.Photo, d.Label}
		if was := last[q]; was.Verdict != d.Verdict || !was.When.Equal(d.When) {
			list = append(list, d)
		}
		delete(last, q)
	}
	for _, d := range last {
		if d.Verdict != Withdraw {
			d.Verdict = Withdraw
			list = append(list, d)
		}
	}
	return list
}

// closeLog ends the log with a whole line: one that was torn is cut off, for
// nobody was told that it is stored. It returns where the log then ends.
func closeLog(path string, data []byte) (end int64, err error) {
	whole := bytes.LastIndexByte(data, '\n') + 1
	if whole == len(data) { // also if there is no log
		return int64(whole), nil
	}
	if _, bad := decodeLines(data[whole:]); len(bad) == 0 {
		return appendLog(path, []byte("\n"))
	}
	return int64(whole), os.Truncate(path, int64(whole))
}

// decodeLines returns the answers of lines and the numbers, from 1, of those
// that hold none.
func decodeLines(data []byte) (decisions []Decision, bad []int) {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var d Decision
		if err := json.Unmarshal(line, &d); err != nil || d.Photo == (Hash{}) || d.Label == "" {
			bad = append(bad, number)
			continue
		}
		decisions = append(decisions, d)
	}
	return decisions, bad
}
