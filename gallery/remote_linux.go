package gallery

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// networks are file systems that other machines, or programs, change without
// the kernel's knowing it.
var networks = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC: "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.V9FS_MAGIC:       "9p",
	unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.CODA_SUPER_MAGIC: "Coda",
}

// remote returns why a folder's file system tells of no changes, nil if it does.
func remote(path string) error {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return nil // whoever reads the folder says what is wrong
	}
	if name, ok := networks[int64(uint32(st.Type))]; ok {
		return errors.New("changes on " + name + " are not told")
	}
	return nil
}

// explain says what the limits of inotify are called.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return errors.New("too many folders for fs.inotify.max_user_watches")
	case errors.Is(err, syscall.EMFILE):
		return errors.New("too many programs watch folders, or open files, for fs.inotify.max_user_instances or ulimit -n")
	}
	return err
}
