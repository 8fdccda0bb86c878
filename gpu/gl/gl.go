//go:build gpu && cgo

// Package gl is the part of OpenGL 4.3 that the engine uses: programs, buffers,
// dispatches. All of it must run on the thread on which a context is current.
package gl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	api "github.com/go-gl/gl/v4.3-core/gl"
)

// Limits are what a device says of itself.
type Limits struct {
	Vendor, Renderer, Version string
	Alignment                 int  // of where a binding begins in a buffer, in bytes
	Binding                   int  // largest binding in bytes
	Groups                    int  // work groups in a dimension
	Shared                    int  // bytes that a work group shares
	Binaries                  int  // formats of compiled programs that it takes back
	Mapping                   bool // buffers may stay mapped while the device uses them

	resets func() uint32 // nil: it does not tell
}

// Init finds the functions of the current context and asks what it can do.
func Init(proc func(name string) unsafe.Pointer) (Limits, error) {
	if err := api.InitWithProcAddrFunc(proc); err != nil {
		return Limits{}, fmt.Errorf("load OpenGL: %w", err)
	}
	l := Limits{Vendor: api.GoStr(api.GetString(api.VENDOR)), Renderer: api.GoStr(api.GetString(api.RENDERER)),
		Version: api.GoStr(api.GetString(api.VERSION)), Alignment: number(api.SHADER_STORAGE_BUFFER_OFFSET_ALIGNMENT),
		Binding: number(api.MAX_SHADER_STORAGE_BLOCK_SIZE), Shared: number(api.MAX_COMPUTE_SHARED_MEMORY_SIZE),
		Binaries: number(api.NUM_PROGRAM_BINARY_FORMATS)}
	var groups int32
	api.GetIntegeri_v(api.MAX_COMPUTE_WORK_GROUP_COUNT, 0, &groups)
	l.Groups = int(groups)
	if major, minor := number(api.MAJOR_VERSION), number(api.MINOR_VERSION); major < 4 || major == 4 && minor < 3 {
		return l, fmt.Errorf("OpenGL %d.%d of %s: 4.3 is needed", major, minor, l.Renderer)
	}
	// That a function is listed does not mean that it is there: Wine lists what it
	// does not hand out.
	l.Mapping = extension("GL_ARB_buffer_storage") && proc("glBufferStorage") != nil
	// The functions of KHR_robustness bear its name in OpenGL ES only.
	switch {
	case extension("GL_KHR_robustness") && proc("glGetGraphicsResetStatus") != nil:
		l.resets = api.GetGraphicsResetStatus
	case extension("GL_ARB_robustness") && proc("glGetGraphicsResetStatusARB") != nil:
		l.resets = api.GetGraphicsResetStatusARB
	}
	return l, nil
}

// extension asks the list: the address of a function proves nothing.
func extension(name string) bool {
	for i := range number(api.NUM_EXTENSIONS) {
		if api.GoStr(api.GetStringi(api.EXTENSIONS, uint32(i))) == name {
			return true
		}
	}
	return false
}

// Lost reports whether the device was reset, and the context with it.
func (l Limits) Lost() bool { return l.resets != nil && l.resets() != api.NO_ERROR }

// Software reports whether the renderer computes on the processor.
func (l Limits) Software() bool {
	for _, name := range []string{"llvmpipe", "softpipe", "SwiftShader", "GDI Generic", "Microsoft Basic Render Driver"} {
		if strings.Contains(l.Renderer, name) {
			return true
		}
	}
	return false
}

func number(name uint32) int {
	var v int32
	api.GetIntegerv(name, &v)
	return int(v)
}

// Err is the first error since the last call.
func Err() error {
	var first error
	for range 16 { // one of a lost context comes back for ever
		code := api.GetError()
		switch {
		case code == api.NO_ERROR:
			return first
		case first != nil:
		case code == api.OUT_OF_MEMORY:
			first = errors.New("the device is out of memory")
		default:
			first = fmt.Errorf("OpenGL error 0x%x", code)
		}
	}
	return first
}

// NewProgram compiles a compute shader.
func NewProgram(source string) (uint32, error) {
	shader := api.CreateShader(api.COMPUTE_SHADER)
	defer api.DeleteShader(shader)
	text, free := api.Strs(source + "\x00")
	defer free()
	api.ShaderSource(shader, 1, text, nil)
	api.CompileShader(shader)
	if err := status(shader, api.COMPILE_STATUS, api.GetShaderiv, api.GetShaderInfoLog); err != nil {
		return 0, fmt.Errorf("compile: %w", err)
	}
	program := api.CreateProgram()
	api.ProgramParameteri(program, api.PROGRAM_BINARY_RETRIEVABLE_HINT, api.TRUE)
	api.AttachShader(program, shader)
	api.LinkProgram(program)
	if err := status(program, api.LINK_STATUS, api.GetProgramiv, api.GetProgramInfoLog); err != nil {
		api.DeleteProgram(program)
		return 0, fmt.Errorf("link: %w", err)
	}
	return program, nil
}

// Binary returns a linked program as the driver keeps it; nil if it does not.
func Binary(program uint32) []byte {
	var size, got int32
	api.GetProgramiv(program, api.PROGRAM_BINARY_LENGTH, &size)
	if size <= 0 {
		return nil
	}
	data := make([]byte, 4+size)
	var format uint32
	api.GetProgramBinary(program, size, &got, &format, unsafe.Pointer(&data[4]))
	binary.LittleEndian.PutUint32(data, format)
	return data[:4+got]
}

// LoadProgram takes back what Binary gave. Drivers refuse what is not their own,
// or damaged.
func LoadProgram(data []byte) (uint32, bool) {
	if len(data) <= 4 {
		return 0, false
	}
	program := api.CreateProgram()
	api.ProgramBinary(program, binary.LittleEndian.Uint32(data), unsafe.Pointer(&data[4]), int32(len(data)-4))
	err := status(program, api.LINK_STATUS, api.GetProgramiv, api.GetProgramInfoLog)
	_ = Err() // an unknown format is an error of the context, too
	if err != nil {
		api.DeleteProgram(program)
		return 0, false
	}
	return program, true
}

func status(object, name uint32, get func(uint32, uint32, *int32), log func(uint32, int32, *int32, *uint8)) error {
	var done, length int32
	if get(object, name, &done); done != api.FALSE {
		return nil
	}
	get(object, api.INFO_LOG_LENGTH, &length)
	text := make([]byte, length+1)
	log(object, length, nil, &text[0])
	said, _, _ := strings.Cut(strings.TrimRight(string(text), "\x00\n"), "\n") // what follows follows from it
	return errors.New(said)
}

// NewBuffer makes a buffer of zeroed bytes.
func NewBuffer(bytes int) uint32 {
	var id uint32
	api.GenBuffers(1, &id)
	api.BindBuffer(api.SHADER_STORAGE_BUFFER, id)
	api.BufferData(api.SHADER_STORAGE_BUFFER, bytes, nil, api.DYNAMIC_COPY)
	Clear(id, 0, bytes)
	return id
}

// NewBufferOf makes a buffer with contents.
func NewBufferOf(data []byte) uint32 {
	var id uint32
	api.GenBuffers(1, &id)
	api.BindBuffer(api.SHADER_STORAGE_BUFFER, id)
	api.BufferData(api.SHADER_STORAGE_BUFFER, len(data), unsafe.Pointer(unsafe.SliceData(data)), api.DYNAMIC_COPY)
	return id
}

// DeleteBuffer frees a buffer.
func DeleteBuffer(id uint32) { api.DeleteBuffers(1, &id) }

// What a shader does to buffers is in no order with what comes before or after it
// but for barriers, which stand in front of everything here that reads or writes:
// transferred for a command that moves memory, shaded for a dispatch. That counts
// also for a dispatch that writes what was cleared or copied to: it may be first
// (OpenGL 4.3, 7.12.2).
const (
	transferred = api.BUFFER_UPDATE_BARRIER_BIT
	shaded      = api.SHADER_STORAGE_BARRIER_BIT
)

// Clear writes zeros; both numbers are multiples of 4.
func Clear(id uint32, offset, bytes int) {
	api.MemoryBarrier(transferred)
	api.BindBuffer(api.SHADER_STORAGE_BUFFER, id)
	zero := float32(0)
	api.ClearBufferSubData(api.SHADER_STORAGE_BUFFER, api.R32F, offset, bytes, api.RED, api.FLOAT, unsafe.Pointer(&zero))
}

// Write copies values into a buffer.
func Write(id uint32, offset int, x []float32) {
	api.MemoryBarrier(transferred)
	api.BindBuffer(api.SHADER_STORAGE_BUFFER, id)
	api.BufferSubData(api.SHADER_STORAGE_BUFFER, offset, 4*len(x), unsafe.Pointer(unsafe.SliceData(x)))
}

// NewMapped makes a buffer of n values that stays mapped: what is written there is
// seen by commands that are issued later. Without memory for it there is none.
func NewMapped(n int) (uint32, []float32) {
	const flags = api.MAP_WRITE_BIT | api.MAP_PERSISTENT_BIT | api.MAP_COHERENT_BIT
	var id uint32
	api.GenBuffers(1, &id)
	api.BindBuffer(api.COPY_READ_BUFFER, id)
	api.BufferStorage(api.COPY_READ_BUFFER, 4*n, nil, flags)
	at := api.MapBufferRange(api.COPY_READ_BUFFER, 0, 4*n, flags)
	if at == nil {
		api.DeleteBuffers(1, &id)
		_ = Err() // the caller goes another way
		return 0, nil
	}
	return id, unsafe.Slice((*float32)(at), n)
}

// Copy copies bytes from a buffer into another, on the device.
func Copy(to uint32, offset int, from uint32, at, bytes int) {
	api.MemoryBarrier(transferred)
	api.BindBuffer(api.COPY_READ_BUFFER, from)
	api.BindBuffer(api.COPY_WRITE_BUFFER, to)
	api.CopyBufferSubData(api.COPY_READ_BUFFER, api.COPY_WRITE_BUFFER, at, offset, bytes)
}

// Read waits for what was issued and copies out of a buffer.
func Read[T any](x []T, id uint32, offset int) {
	api.MemoryBarrier(transferred)
	api.BindBuffer(api.SHADER_STORAGE_BUFFER, id)
	var t T
	api.GetBufferSubData(api.SHADER_STORAGE_BUFFER, offset, len(x)*int(unsafe.Sizeof(t)), unsafe.Pointer(unsafe.SliceData(x)))
}

// Free is how much memory the driver says is free, in bytes; 0 if it does not say.
func Free() int {
	const (
		nvidia = 0x9049 // GPU_MEMORY_INFO_CURRENT_AVAILABLE_VIDMEM_NVX, in KiB
		amd    = 0x87FB // VBO_FREE_MEMORY_ATI: four numbers, the first is all, in KiB
	)
	var kib [4]int32
	switch {
	case extension("GL_NVX_gpu_memory_info"):
		api.GetIntegerv(nvidia, &kib[0])
	case extension("GL_ATI_meminfo"):
		api.GetIntegerv(amd, &kib[0])
	}
	return int(kib[0]) << 10
}

// Bind makes a part of a buffer binding i of the program.
func Bind(i int, id uint32, offset, bytes int) {
	api.BindBufferRange(api.SHADER_STORAGE_BUFFER, uint32(i), id, offset, bytes)
}

// Use chooses the program of the next dispatches.
func Use(program uint32) { api.UseProgram(program) }

// Ints and Floats set arrays of uniforms.
func Ints(location int, x []int32) { api.Uniform1iv(int32(location), int32(len(x)), &x[0]) }

// Floats sets an array of uniforms.
func Floats(location int, x []float32) { api.Uniform1fv(int32(location), int32(len(x)), &x[0]) }

// Dispatch runs work groups, which see what was written before.
func Dispatch(x, y int) {
	api.MemoryBarrier(shaded)
	api.DispatchCompute(uint32(x), uint32(y), 1)
}

// Flush has the driver send what was issued.
func Flush() { api.Flush() }

// A Fence stands behind what was issued before it.
type Fence uintptr

// NewFence hands what was issued to the device.
func NewFence() Fence {
	f := Fence(api.FenceSync(api.SYNC_GPU_COMMANDS_COMPLETE, 0))
	api.Flush()
	return f
}

// Wait waits until the device has passed the fence, and reports whether it has
// within the time. An error says that the driver cannot tell.
func (f Fence) Wait(limit time.Duration) (passed bool, err error) {
	switch api.ClientWaitSync(uintptr(f), api.SYNC_FLUSH_COMMANDS_BIT, uint64(limit)) {
	case api.ALREADY_SIGNALED, api.CONDITION_SATISFIED:
		return true, nil
	case api.TIMEOUT_EXPIRED:
		return false, nil
	}
	return false, errors.New("it cannot be waited for")
}

// Delete ends a fence.
func (f Fence) Delete() { api.DeleteSync(uintptr(f)) }
