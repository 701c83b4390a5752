package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	folderPrefix = "cpr-operator-cluster-"
	lockName     = "lock"
)

// folder is where a control plane keeps everything it writes. Its lock tells others that somebody uses it.
type folder struct {
	path      string
	temporary bool
	lock      *os.File
}

// openFolder takes the given folder, or a new temporary one if the name is empty.
func openFolder(path string) (*folder, error) {
	f := &folder{path: path, temporary: path == ""}
	var err error
	if f.temporary {
		removeAbandoned()
		f.path, err = os.MkdirTemp("", folderPrefix)
	} else if f.path, err = filepath.Abs(path); err == nil {
		err = os.MkdirAll(f.path, 0o700)
	}
	if err != nil {
		return nil, err
	}
	if err = f.takeLock(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// takeLock makes the lock under another name first, so that nobody sees it unlocked and takes the folder for abandoned.
func (f *folder) takeLock() error {
	name := filepath.Join(f.path, lockName)
	if held, err := tryLock(name); err == nil {
		f.lock = held
		return nil
	} else if !os.IsNotExist(err) {
		f.temporary = false
		return fmt.Errorf("another control plane runs in %s", f.path)
	}
	file, err := os.CreateTemp(f.path, lockName)
	if err != nil {
		return err
	}
	f.lock = file
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}

func tryLock(name string) (*os.File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (f *folder) close() {
	if f.temporary {
		_ = os.RemoveAll(f.path)
	}
	if f.lock != nil {
		f.lock.Close()
	}
}

// removeAbandoned removes temporary folders whose owner was killed before it could.
func removeAbandoned() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*", lockName))
	for _, name := range locks {
		if lock, err := tryLock(name); err == nil {
			_ = os.RemoveAll(filepath.Dir(name))
			lock.Close()
		}
	}
}

// lastLines gives the end of each log in a folder.
func lastLines(dir string, count int) string {
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	var out strings.Builder
	for _, name := range logs {
		text, _ := os.ReadFile(name)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		lines = lines[max(0, len(lines)-count):]
		fmt.Fprintf(&out, "--- end of %s\n%s\n", filepath.Base(name), strings.Join(lines, "\n"))
	}
	return out.String()
}
