package finetune

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sigla/internal/atomicfile"
	"sigla/internal/filelock"
)

// A Record is what is written down of a run when it begins: its run.json.
type Record struct {
	Depth string `json:"depth"` // calibrate, head, lora, full
	Base  string `json:"base"`  // digest of the model before
	// Setup is what whoever began the run needs to make its learner again:
	// the data, the names that are trained. The package does not read it.
	Setup json.RawMessage `json:"setup,omitempty"`

	Photos  int       `json:"photos"` // that are learned from
	Begun   time.Time `json:"begun"`
	Options Options   `json:"options"`
	// Of a branch: the run it is of, and the checkpoint it began with.
	From     string `json:"from,omitempty"`
	FromStep int    `json:"from_step,omitempty"`
}

// ReadRecord reads what is written down of the run in a folder.
func ReadRecord(dir string) (Record, error) {
	var r Record
	data, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s holds no training: it has no %s", dir, recordFile)
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read training %s: %w", dir, err)
	}
	return r, nil
}

// Checkpoints lists the steps that a run in a folder can go back to, in order.
func Checkpoints(dir string) ([]int, error) {
	steps, err := checkpointSteps(filepath.Join(dir, checkpointFolder))
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	return steps, nil
}

const (
	recordFile       = "run.json"
	eventsFile       = "events.jsonl"
	checkpointFolder = "checkpoints"
	lockFile         = "lock"
)

// A folder is the files of a run, which is locked while it is open.
type folder struct {
	dir   string
	locks []*os.File
	log   *os.File
	lines bytes.Buffer // events that are not in the log yet
}

func (f *folder) checkpoints() string { return filepath.Join(f.dir, checkpointFolder) }

// createFolder begins a run in a folder that has none yet.
func createFolder(dir string, r Record) (*folder, error) {
	if err := os.MkdirAll(filepath.Join(dir, checkpointFolder), 0o755); err != nil {
		return nil, fmt.Errorf("begin training: %w", err)
	}
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("begin training: %w", err)
	}
	f, err := openFolder(dir, r.Base)
	if err != nil {
		return nil, err
	}
	if _, err = os.Stat(filepath.Join(dir, recordFile)); err == nil {
		err = fmt.Errorf("%s holds one already", dir)
	} else {
		err = atomicfile.Write(filepath.Join(dir, recordFile), append(data, '\n'), 0o644)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin training: %w", err), f.close())
	}
	return f, nil
}

// abandon takes back a run that could not begin, or that nobody wants any more.
// Other files of its folder stay, and then the folder does.
func (f *folder) abandon() error {
	err := f.close()
	for _, name := range []string{recordFile, checkpointFolder, eventsFile, lockFile} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(f.dir, name)))
	}
	os.Remove(f.dir)
	return err
}

// Discard removes the run in a folder, unless it is being trained.
func Discard(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, recordFile)); err != nil {
		return fmt.Errorf("discard training: %w", err)
	}
	f, err := openFolder(dir, "")
	if err == nil {
		err = f.abandon()
	}
	if err != nil {
		return fmt.Errorf("discard training: %w", err)
	}
	return nil
}

// openFolder locks a folder, and the model that is trained, and opens the log.
// The lock of a model lies beside the folders of all its runs.
func openFolder(dir, base string) (*folder, error) {
	f := &folder{dir: dir}
	err := f.takeLock(filepath.Join(dir, lockFile), dir)
	if err == nil && base != "" {
		err = f.takeLock(filepath.Join(filepath.Dir(dir), "model-"+short(base)+".lock"), "this model")
	}
	if err == nil {
		f.log, err = os.OpenFile(filepath.Join(dir, eventsFile), os.O_CREATE|os.O_RDWR, 0o644)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open training: %w", err), f.close())
	}
	removeParts(f.checkpoints())
	removeParts(dir)
	return f, nil
}

// takeLock locks a file for the sake of what it stands for.
func (f *folder) takeLock(path, what string) error {
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	f.locks = append(f.locks, lock)
	ok, err := filelock.TryLock(lock, true)
	if err == nil && !ok {
		err = fmt.Errorf("%s is being trained by another sigla; wait for it, or stop it", what)
	}
	return err
}

// add writes an event. What the disk does not take is kept and written with
// the next one.
func (f *folder) add(e Event) error {
	if err := WriteEvent(&f.lines, e); err != nil {
		return err
	}
	return f.flush()
}

func (f *folder) flush() error {
	_, err := f.lines.WriteTo(f.log)
	return err
}

// cut forgets the events after a step: those that a killed run had told of and
// that come again, or that a person wants other ones for.
func (f *folder) cut(step int) error {
	f.lines.Reset()
	if _, err := f.log.Seek(0, io.SeekStart); err != nil {
		return err
	}
	end, err := logEnd(f.log, step)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.log.Name(), err)
	}
	if err := f.log.Truncate(end); err != nil { // no O_APPEND: Windows would not let it
		return err
	}
	_, err = f.log.Seek(end, io.SeekStart)
	return err
}

// copyLog takes over the events of another run until a step.
func (f *folder) copyLog(path string, step int) error {
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	defer old.Close()
	end, err := logEnd(old, step)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if _, err = old.Seek(0, io.SeekStart); err == nil {
		_, err = io.CopyN(f.log, old, end)
	}
	return err
}

func (f *folder) close() error {
	var err error
	if f.log != nil {
		err = errors.Join(f.flush(), f.log.Close())
	}
	for _, lock := range f.locks {
		err = errors.Join(err, lock.Close())
	}
	return err
}

// save writes a checkpoint and gives up those that are too many. The log is on
// the disk before it, so that a checkpoint never knows more than the log.
func (f *folder) save(p position, l Learner, most int) error {
	err := f.flush()
	if err == nil {
		err = f.log.Sync()
	}
	if err == nil {
		err = writeCheckpoint(f.checkpoints(), p, l)
	}
	if err != nil {
		return err
	}
	steps, err := checkpointSteps(f.checkpoints())
	if err != nil {
		return err
	}
	return f.remove(surplus(steps, most))
}

// forget removes the checkpoints after a step, the last first, so that whoever
// opens the run meanwhile finds one of a history that was.
func (f *folder) forget(step int) error {
	steps, err := checkpointSteps(f.checkpoints())
	if err != nil {
		return fmt.Errorf("list checkpoints: %w", err)
	}
	for i := len(steps) - 1; i >= 0 && steps[i] > step; i-- {
		if err := f.remove(steps[i : i+1]); err != nil {
			return err
		}
	}
	return f.cut(step)
}

func (f *folder) remove(steps []int) error {
	for _, step := range steps {
		if err := os.Remove(filepath.Join(f.checkpoints(), fmt.Sprintf(checkpointName, step))); err != nil {
			return err
		}
	}
	return nil
}
