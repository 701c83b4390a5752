package image

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// layer is the files of an image by their paths.
type layer struct{ entries map[string]entry }

// entry is a folder, a text, or a file of this machine.
type entry struct {
	mode   int64
	folder bool
	text   string
	file   string
}

// layer gathers the programs, the libraries they need, and the little that programs expect of a system.
func (i *Image) layer() (*layer, error) {
	l := &layer{entries: map[string]entry{}}
	for _, program := range i.Programs {
		libraries, err := librariesOf(program.File)
		if err != nil {
			return nil, err
		}
		for _, library := range libraries {
			l.add(library, entry{mode: 0o755, file: library})
		}
		l.add(program.Path, entry{mode: 0o755, file: program.File})
	}
	l.add("/etc/passwd", entry{mode: 0o644, text: fmt.Sprintf("root:x:0:0::/:\nnonroot:x:%d:%d::/tmp:\n", user, user)})
	l.add("/etc/group", entry{mode: 0o644, text: fmt.Sprintf("root:x:0:\nnonroot:x:%d:\n", user)})
	l.add("/etc/nsswitch.conf", entry{mode: 0o644, text: "hosts: files dns\n"})
	l.add("/tmp", entry{mode: 0o1777, folder: true})
	return l, nil
}

// add adds an entry and the folders that it is in.
func (l *layer) add(name string, e entry) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	l.entries[name] = e
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		l.entries[folder] = entry{mode: 0o755, folder: true}
	}
}

func (l *layer) write(out io.Writer) error {
	archive := tar.NewWriter(out)
	for _, name := range slices.Sorted(maps.Keys(l.entries)) { // a folder sorts before what is in it
		if err := l.entries[name].write(archive, name); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (e entry) write(archive *tar.Writer, name string) error {
	header := &tar.Header{Name: name, Mode: e.mode, Size: int64(len(e.text))}
	if e.folder {
		header.Name, header.Typeflag = name+"/", tar.TypeDir
	}
	var content io.Reader = strings.NewReader(e.text)
	if e.file != "" {
		file, err := os.Open(e.file)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		header.Size, content = info.Size(), file
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(archive, content)
	return err
}
