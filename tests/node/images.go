package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"testbed/cluster/process"
	"testbed/node/image"
)

const (
	containerdsVariable = "NODE_CONTAINERDS"
	pauseImage          = "localhost/pause:3.10.2" // the version that Kubernetes' own sources have
)

// packImage packs programs and puts the image on all nodes, or in a file.
func packImage(args []string) error {
	packed, file, err := parseImage(args)
	if err != nil {
		return err
	}
	sockets := filepath.SplitList(os.Getenv(containerdsVariable))
	var id digest.Digest
	switch {
	case file != "":
		id, err = writeArchive(packed, file)
	case len(sockets) > 0:
		id, err = importEverywhere(packed, sockets)
	default:
		err = errors.New("there is no node: run this with `node run -- ...`, or write an archive with --out FILE")
	}
	if err == nil {
		fmt.Println(packed.Name, id)
	}
	return err
}

func parseImage(args []string) (packed *image.Image, out string, err error) {
	packed = &image.Image{Labels: map[string]string{}}
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	tag := flags.String("tag", "", "")
	flags.StringVar(&packed.Entrypoint, "entrypoint", "", "")
	flags.StringVar(&out, "out", "", "")
	flags.Func("label", "", func(text string) error {
		key, value, ok := strings.Cut(text, "=")
		packed.Labels[key] = value
		if !ok {
			return process.ErrUsage
		}
		return nil
	})
	if flags.Parse(args) != nil || *tag == "" || flags.NArg() == 0 {
		return nil, "", process.ErrUsage
	}
	for _, text := range flags.Args() {
		file, place, placed := strings.Cut(text, ":")
		if !placed {
			place = path.Join("/usr/bin", path.Base(file))
		}
		if !path.IsAbs(place) {
			return nil, "", fmt.Errorf("%s: its place in the image has to begin with /", text)
		}
		packed.Programs = append(packed.Programs, image.Program{File: file, Path: place})
	}
	packed.Name, err = image.ParseName(*tag)
	return packed, out, err
}

func writeArchive(packed *image.Image, file string) (digest.Digest, error) {
	out, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer out.Close()
	return packed.Write(out)
}

// importEverywhere puts an image where the kubelets look for it.
func importEverywhere(packed *image.Image, sockets []string) (digest.Digest, error) {
	ids, failures := make([]digest.Digest, len(sockets)), make([]error, len(sockets))
	var all sync.WaitGroup
	for n, socket := range sockets {
		all.Go(func() { ids[n], failures[n] = importInto(packed, socket) })
	}
	all.Wait()
	return ids[0], errors.Join(failures...)
}

func importInto(packed *image.Image, socket string) (digest.Digest, error) {
	var said bytes.Buffer
	command := exec.Command("ctr", "--address", socket, "--namespace", "k8s.io", "images", "import", "-")
	command.Stdout, command.Stderr = &said, &said
	archive, err := command.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	id, failed := packed.Write(archive)
	archive.Close()
	if err := command.Wait(); err != nil {
		return "", fmt.Errorf("importing %s: %w: %s", packed.Name, err, said.String())
	}
	return id, failed
}

// importPause puts the program that holds the namespaces of a pod on all nodes.
func importPause(sockets []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	name, err := image.ParseName(pauseImage)
	if err != nil {
		return err
	}
	pause := filepath.Join(filepath.Dir(self), "pause")
	if _, err := os.Stat(pause); err != nil {
		return fmt.Errorf("%s is missing: build it with `make build/pause`", pause)
	}
	_, err = importEverywhere(&image.Image{Name: name, Programs: []image.Program{{File: pause, Path: "/pause"}}}, sockets)
	return err
}
