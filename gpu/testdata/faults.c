// A libEGL that forwards to the machine's own, named by SIGLA_EGL, and has the
// driver behind it fail as SIGLA_FAULT says: "reset" from the beginning,
// "reset:adamw" from the first shader on that is compiled and has the word.
// Tests put it where a program looks for libEGL first, so that every fault takes
// the way through the whole program that a driver's takes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int found; // the word of SIGLA_FAULT
static int memory; // an error is to be told

static int fault(const char *name) {
	const char *f = getenv("SIGLA_FAULT");
	size_t n = strlen(name);
	if (!f || strncmp(f, name, n) || (f[n] && f[n] != ':'))
		return 0;
	return !f[n] || found;
}

// hang never comes back from a call, if the fault is its name.
static void hang(const char *name) {
	while (fault(name))
		pause();
}

// Preloaded, it hides the library.
void *dlopen(const char *name, int flags) {
	static void *(*real)(const char *, int);
	if (!real)
		real = dlsym(RTLD_NEXT, "dlopen");
	if (name && !strcmp(name, "libEGL.so.1") && fault("library"))
		name = "libEGL-that-is-not-there.so.1";
	return real(name, flags);
}

static void *egl(const char *name) {
	static void *lib;
	if (!lib)
		lib = dlopen(getenv("SIGLA_EGL"), RTLD_NOW | RTLD_GLOBAL);
	return lib ? dlsym(lib, name) : 0;
}

typedef uintptr_t (*call)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);
#define FORWARD(name) \
	uintptr_t name(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e) { return ((call)egl(#name))(a, b, c, d, e); }
FORWARD(eglGetDisplay)
FORWARD(eglBindAPI)
FORWARD(eglChooseConfig)
FORWARD(eglCreateContext)
FORWARD(eglMakeCurrent)
FORWARD(eglQueryString)
FORWARD(eglGetError)
FORWARD(eglCreatePbufferSurface)
FORWARD(eglTerminate)

uintptr_t eglInitialize(uintptr_t display, uintptr_t major, uintptr_t minor) {
	if (fault("crash"))
		abort();
	hang("silence");
	return ((call)egl("eglInitialize"))(display, major, minor, 0, 0);
}

uintptr_t eglDestroyContext(uintptr_t display, uintptr_t context) {
	hang("hang-close");
	return ((call)egl("eglDestroyContext"))(display, context, 0, 0, 0);
}

static void *(*proc)(const char *);

static unsigned resetStatus(void) {
	return fault("reset") ? 0x8253 : 0; // GL_GUILTY_CONTEXT_RESET
}

static unsigned clientWaitSync(void *sync, unsigned flags, uint64_t limit) {
	if (fault("hang")) {
		struct timespec t = {limit / 1000000000, limit % 1000000000};
		nanosleep(&t, 0);
		return 0x911B; // GL_TIMEOUT_EXPIRED
	}
	return ((unsigned (*)(void *, unsigned, uint64_t))proc("glClientWaitSync"))(sync, flags, limit);
}

// Any command may find that there is no memory (OpenGL 4.3, section 2.3.1), a
// dispatch when its buffers have to be at hand.
static void dispatch(unsigned x, unsigned y, unsigned z) {
	hang("hang-dispatch");
	if (fault("memory"))
		memory = 1;
	((void (*)(unsigned, unsigned, unsigned))proc("glDispatchCompute"))(x, y, z);
}

static void bufferData(unsigned target, intptr_t size, const void *data, unsigned use) {
	hang("hang-buffer");
	if (fault("memory"))
		memory = 1;
	((void (*)(unsigned, intptr_t, const void *, unsigned))proc("glBufferData"))(target, size, data, use);
}

static void bufferStorage(unsigned target, intptr_t size, const void *data, unsigned flags) {
	if (fault("memory"))
		memory = 1; // and there is none to be mapped
	else
		((void (*)(unsigned, intptr_t, const void *, unsigned))proc("glBufferStorage"))(target, size, data, flags);
}

static unsigned getError(void) {
	if (memory) {
		memory = 0;
		return 0x0505; // GL_OUT_OF_MEMORY
	}
	return ((unsigned (*)(void))proc("glGetError"))();
}

static void copy(unsigned from, unsigned to, intptr_t at, intptr_t offset, intptr_t size) {
	hang("hang-upload");
	((void (*)(unsigned, unsigned, intptr_t, intptr_t, intptr_t))proc("glCopyBufferSubData"))(from, to, at, offset, size);
}

static void getBufferSubData(unsigned target, intptr_t offset, intptr_t size, void *data) {
	hang("hang-read");
	((void (*)(unsigned, intptr_t, intptr_t, void *))proc("glGetBufferSubData"))(target, offset, size, data);
	if (fault("wrong") && size >= 4)
		*(float *)data += 1;
}

static void shaderSource(unsigned shader, int n, const char *const *text, const int *lengths) {
	const char *f = getenv("SIGLA_FAULT"), *word = f ? strchr(f, ':') : 0;
	for (int i = 0; word && i < n; i++)
		if (strcasestr(text[i], word + 1))
			found = 1;
	const char *broken = "#version 430\nthis is no shader";
	if (fault("shader")) {
		n = 1, text = &broken, lengths = 0;
	}
	((void (*)(unsigned, int, const char *const *, const int *))proc("glShaderSource"))(shader, n, text, lengths);
}

static void linkProgram(unsigned program) {
	hang("hang-link");
	((void (*)(unsigned))proc("glLinkProgram"))(program);
}

void *eglGetProcAddress(const char *name) {
	static const struct {
		const char *name;
		void *f;
	} ours[] = {
		{"glGetGraphicsResetStatus", resetStatus}, {"glGetGraphicsResetStatusARB", resetStatus},
		{"glClientWaitSync", clientWaitSync}, {"glBufferData", bufferData}, {"glBufferStorage", bufferStorage},
		{"glDispatchCompute", dispatch}, {"glGetError", getError}, {"glGetBufferSubData", getBufferSubData}, {"glShaderSource", shaderSource},
		{"glLinkProgram", linkProgram}, {"glCopyBufferSubData", copy},
	};
	proc = egl("eglGetProcAddress");
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (!strcmp(name, ours[i].name))
			return ours[i].f;
	return proc(name);
}
