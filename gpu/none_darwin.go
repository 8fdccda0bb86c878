package gpu

const why = "built without GPU: OpenGL ends at 4.1 on macOS, without compute shaders"
