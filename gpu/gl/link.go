//go:build gpu && cgo && linux

package gl

/*
// go-gl/gl needs libGL for this one function only. With a definition of our own
// the linker leaves the library out, and the program starts where there is none:
// the functions come from libEGL, which is loaded at run time.
static void *(*lookup)(const char *);
void *glXGetProcAddress(const unsigned char *name) { return lookup ? lookup((const char *)name) : 0; }
*/
import "C"
