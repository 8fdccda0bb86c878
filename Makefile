# Each line is a plain go command that one could type.
.PHONY: build static gpu test check bench generate golden demo
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

build: # the richest binary that this machine can build
	@if pkg-config --exists gl 2>/dev/null && command -v $${CC:-gcc} >/dev/null; then $(MAKE) gpu; \
	else $(MAKE) static; echo 'left out: the GPU; it needs a C compiler, pkg-config and libgl-dev'; fi

static: # one file that needs nothing: no C, no GPU
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o sigla .

gpu: # with OpenGL, found when the program runs
	CGO_ENABLED=1 go build -tags gpu -trimpath -ldflags '-s -w' -o sigla .

test:
	go test ./...

check: # the quick half of .ci/run, and how many lines of code there are
	gofmt -s -l .
	go vet ./...
	go run $(STATICCHECK) ./...
	@git ls-files '*.go' '*.s' | xargs cat | wc -l

bench: # the figures of docs/BENCHMARKS.md
	go test -run '^$$' -bench . ./cpu ./model ./cli

generate: # assembly, from the generators in cpu/_asm
	go generate ./cpu

golden: # write the screens' golden files again; look at the difference
	go test ./ui -update

demo:
	go run . demo
