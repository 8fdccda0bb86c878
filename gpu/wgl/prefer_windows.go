//go:build gpu && cgo

package wgl

/*
// Laptops with two GPUs give a program the one that saves energy, unless it
// exports these: the names are those of NVIDIA's and AMD's drivers.
__declspec(dllexport) unsigned long NvOptimusEnablement = 1;
__declspec(dllexport) int AmdPowerXpressRequestHighPerformance = 1;
*/
import "C"
