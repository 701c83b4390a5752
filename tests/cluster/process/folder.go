package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const lockName = "lock"

// Folder is where a run keeps everything it writes. Its lock tells others that somebody uses it.
type Folder struct {
	Path      string
	Temporary bool
	lock      *os.File
}

// OpenFolder takes the given folder, or a new temporary one if the path is empty; its name begins with the prefix.
func OpenFolder(path, prefix string) (*Folder, error) {
	f := &Folder{Path: path, Temporary: path == ""}
	var err error
	if f.Temporary {
		removeAbandoned(prefix)
		f.Path, err = os.MkdirTemp("", prefix)
	} else if f.Path, err = filepath.Abs(path); err == nil {
		err = os.MkdirAll(f.Path, 0o700)
	}
	if err != nil {
		return nil, err
	}
	if err = f.takeLock(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// takeLock makes the lock under another name first, so that nobody sees it unlocked and takes the folder for abandoned.
func (f *Folder) takeLock() error {
	name := filepath.Join(f.Path, lockName)
	if held, err := TryLock(name); err == nil {
		f.lock = held
		return nil
	} else if !os.IsNotExist(err) {
		f.Temporary = false
		return fmt.Errorf("another run uses %s: name another folder, or wait", f.Path)
	}
	file, err := os.CreateTemp(f.Path, lockName)
	if err != nil {
		return err
	}
	f.lock = file
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}

// TryLock gives the open file if nobody holds it, and holds it until it is closed.
func TryLock(name string) (*os.File, error) {
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

// Close gives the folder up, and removes it if it was a temporary one.
func (f *Folder) Close() {
	if f.Temporary {
		_ = os.RemoveAll(f.Path)
	}
	if f.lock != nil {
		f.lock.Close()
	}
}

// removeAbandoned removes temporary folders whose owner was killed before it could.
func removeAbandoned(prefix string) {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*", lockName))
	for _, name := range locks {
		if lock, err := TryLock(name); err == nil {
			_ = os.RemoveAll(filepath.Dir(name))
			lock.Close()
		}
	}
}

// lastLines gives the end of each file that matches.
func lastLines(pattern string, count int) string {
	logs, _ := filepath.Glob(pattern)
	var out strings.Builder
	for _, name := range logs {
		text, _ := os.ReadFile(name)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		lines = lines[max(0, len(lines)-count):]
		fmt.Fprintf(&out, "--- end of %s\n%s\n", filepath.Base(name), strings.Join(lines, "\n"))
	}
	return out.String()
}
