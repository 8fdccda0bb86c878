//go:build !(heic && nodynamic)

package photo

// HasHEIC says whether this build opens HEIC.
const HasHEIC = false
