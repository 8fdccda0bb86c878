package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // the demo photo of the self-test
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"sigla/assets"
	"sigla/cpu"
	"sigla/finetune"
	"sigla/gallery/label"
	"sigla/gallery/photo"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine, terminal and installation",
		Long: `Print what sigla finds on this machine: version, processor, devices, terminal, folders and configuration, and whether the starter model gives the probability here that it gave where it was made. With --model that model is loaded too.

Marks: ✓ well, ! worth knowing, ✗ broken; with a ✗ the exit status is 1.`,
		Example: "sigla doctor\nSIGLA_CPU=generic sigla doctor",
		Args:    cobra.NoArgs,
		Run:     a.run(a.runDoctor),
	}
}

// State of a finding.
const (
	well    = "ok"
	notable = "warning"
	broken  = "broken"
)

// finding is a line of the doctor.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail"`
}

func (a *app) runDoctor(ctx context.Context, _ []string) error {
	config := a.checkConfig() // first: it may name model and device
	findings := append([]finding{
		{"version", well, fmt.Sprintf("sigla %s, %s, %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)},
		a.checkCPU(),
		a.checkGPU(ctx),
		checkMemory(),
		checkJPEG(),
		checkHEIC(),
		a.checkTerminal(),
		config,
		checkFolder("labels", string(userLabels())),
		checkFolder("data", filepath.Join(xdg.DataHome, "sigla")),
		checkFolder("cache", filepath.Join(xdg.CacheHome, "sigla")),
	}, a.checkStarter(ctx)...)
	if !a.isStarter() {
		findings = append(findings, a.checkModel(ctx))
	}
	out := a.output()
	if err := out.header("check", "state", "detail"); err != nil {
		return err
	}
	ill := 0
	for _, f := range findings {
		if f.State == broken {
			ill++
		}
		if err := out.finding(f); err != nil {
			return err
		}
	}
	if ill > 0 {
		return fmt.Errorf("doctor: %d of %d checks found something broken", ill, len(findings))
	}
	return nil
}

func (o *output) finding(f finding) error {
	switch o.format {
	case "json":
		return o.object(f)
	case "csv":
		return o.row(f.Check, f.State, f.Detail)
	}
	mark := map[string]string{well: "✓", notable: "!", broken: "✗"}[f.State]
	return o.text(fmt.Sprintf("%s %-9s %s\n", mark, f.Check, f.Detail))
}

func (a *app) checkCPU() finding {
	e, err := a.engine()
	if err != nil {
		return finding{"cpu", broken, err.Error()}
	}
	defer e.Close()
	return finding{"cpu", well, fmt.Sprintf("%s of %s; %d threads on %d cores", e.Level(), strings.Join(cpu.Levels(), ", "), e.Threads(), runtime.NumCPU())}
}

// checkMemory reads Linux's figures; other systems have none to read as text.
func checkMemory() finding {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return finding{"memory", well, "not known on this system"}
	}
	amount := map[string]float64{}
	for line := range strings.Lines(string(data)) {
		var name string
		var kib float64
		if _, err := fmt.Sscan(line, &name, &kib); err == nil {
			amount[name] = kib / (1 << 20)
		}
	}
	return finding{"memory", well, fmt.Sprintf("%.1f of %.1f GiB available", amount["MemAvailable:"], amount["MemTotal:"])}
}

// checkJPEG says who decodes most photos.
func checkJPEG() finding {
	if !photo.HasTurbo {
		return finding{"jpeg", well, "Go's decoder; built without libjpeg-turbo (-tags turbo)"}
	}
	library, err := photo.Turbo()
	if err != nil {
		return finding{"jpeg", notable, "Go's decoder; " + err.Error()}
	}
	return finding{"jpeg", well, library}
}

func checkHEIC() finding {
	if !photo.HasHEIC {
		return finding{"heic", well, "not opened; built without libheif (-tags heic,nodynamic)"}
	}
	return finding{"heic", well, "libheif, as WebAssembly"}
}

func (a *app) checkTerminal() finding {
	kind := fmt.Sprintf("TERM=%s COLORTERM=%s", os.Getenv("TERM"), os.Getenv("COLORTERM"))
	out, ok := a.stdout.(*os.File)
	if !ok || !isTerminal(out) {
		return finding{"terminal", notable, kind + "; standard output is no terminal, so the explorer would print instead"}
	}
	width, height, err := term.GetSize(out.Fd())
	if err != nil {
		return finding{"terminal", notable, fmt.Sprintf("%s; its size is not known: %v", kind, err)}
	}
	state, detail := well, fmt.Sprintf("%s; %v colours, %d×%d cells", kind, colorprofile.Detect(out, os.Environ()), width, height)
	if width < 60 || height < 20 {
		state, detail = notable, detail+"; the explorer needs 60×20"
	}
	return finding{"terminal", state, detail}
}

func (a *app) checkConfig() finding {
	path := configPath()
	if a.settings.config != "" {
		path = a.settings.config
	}
	if err := a.configure(path); err != nil {
		return finding{"config", broken, err.Error()}
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return finding{"config", well, path + ", not there"}
	}
	return finding{"config", well, path}
}

// checkFolder says whether files could be made in a folder, which need not
// exist yet.
func checkFolder(name, dir string) finding {
	parent := dir
	for {
		_, err := os.Stat(parent)
		if !errors.Is(err, fs.ErrNotExist) || parent == filepath.Dir(parent) {
			break
		}
		parent = filepath.Dir(parent)
	}
	f, err := os.CreateTemp(parent, ".sigla-doctor-*")
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return finding{name, notable, fmt.Sprintf("%s cannot be written: %v", dir, err)}
	}
	return finding{name, well, dir}
}

// The self-test: a demo photo, a label, and what float64 sums gave for them.
const (
	testPhoto       = "cat.jpg"
	testLabel       = "cat"
	testProbability = 0.16651
	testTolerance   = 1e-3
)

// checkStarter loads the starter model, compares one probability, and says what
// would train it.
func (a *app) checkStarter(ctx context.Context) []finding {
	begin := time.Now()
	enc, err := a.load(ctx, starter())
	if err != nil {
		return []finding{{"self-test", broken, err.Error()}}
	}
	defer enc.Close()
	return []finding{a.checkScore(ctx, enc, begin), a.checkTraining(enc)}
}

func (a *app) checkScore(ctx context.Context, enc *encoder, begin time.Time) finding {
	enc.texts = nil // it is the engine that is tested
	loaded := time.Now()
	p, err := testScore(ctx, enc)
	if err != nil {
		return finding{"self-test", broken, err.Error()}
	}
	detail := fmt.Sprintf("starter on %s: loaded in %d ms, p(%s | %s) = %.4f in %d ms", enc.Device(),
		loaded.Sub(begin).Milliseconds(), testLabel, testPhoto, p, time.Since(loaded).Milliseconds())
	if math.Abs(p-testProbability) > testTolerance {
		return finding{"self-test", broken, fmt.Sprintf("%s, should be %.4f", detail, float64(testProbability))}
	}
	return finding{"self-test", well, detail}
}

// checkTraining says what trains at each depth.
func (a *app) checkTraining(enc *encoder) finding {
	var on [2]string
	for i, depth := range []finetune.Depth{finetune.DepthLoRA, finetune.DepthHead} {
		l := &lesson{app: a, enc: enc, setup: trainSetup{Depth: depth}}
		var err error
		if on[i], err = l.usable().trainsOn(); err != nil {
			return finding{"training", broken, err.Error()}
		}
	}
	if on[0] == on[1] {
		return finding{"training", well, "all depths on " + on[0]}
	}
	return finding{"training", well, fmt.Sprintf("lora and full on %s; calibrate and head on %s", on[0], on[1])}
}

// testScore scores the test photo with the model's own t' and b.
func testScore(ctx context.Context, enc *encoder) (float64, error) {
	f, err := assets.Demo().Open(testPhoto)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		return 0, fmt.Errorf("read photo %s: %w", testPhoto, err)
	}
	x, err := enc.Prepare(img)
	if err != nil {
		return 0, err
	}
	vectors, err := enc.Embed(ctx, []any{x})
	if err != nil {
		return 0, err
	}
	s, err := newScorer(ctx, label.Set{Labels: []label.Label{{Name: testLabel}}}, enc, &settings{})
	if err != nil {
		return 0, err
	}
	return s.scores(vectors[0])[0].Probability, nil
}

// checkModel loads the model that the settings name.
func (a *app) checkModel(ctx context.Context) finding {
	begin := time.Now()
	enc, err := a.open(ctx)
	if err != nil {
		return finding{"model", broken, err.Error()}
	}
	defer enc.Close()
	return finding{"model", well, fmt.Sprintf("%s on %s: %s parameters, loaded in %d ms", enc.Info().Name, enc.Device(),
		millions(int64(enc.Info().Params)), time.Since(begin).Milliseconds())}
}
