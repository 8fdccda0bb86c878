//go:build gpu && cgo

package gl

/*
// As on Linux: with a definition of our own the linker leaves opengl32.dll, which
// a Windows without a desktop lacks, out of the import table. The functions come
// from where the context comes from.
static void *none(const char *name) { return 0; }
void *(*__imp_wglGetProcAddress)(const char *) = none;
*/
import "C"
