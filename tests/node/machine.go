package main

import (
	"os"
	"path/filepath"
)

// machine is a node: a network and a view of the file system of its own, in which containerd, kubelet and kube-proxy
// run.
type machine struct {
	Name     string
	Address  string
	PodRange string
}

var machines = []machine{
	{"node-1", "172.30.0.11", "10.244.1.0/24"},
	{"node-2", "172.30.0.12", "10.244.2.0/24"},
}

const (
	containerdSocket = "/run/containerd/containerd.sock"
	settingsFolder   = "/run/node"
	joinedFile       = settingsFolder + "/joined"
)

func names() []string {
	var all []string
	for _, m := range machines {
		all = append(all, m.Name)
	}
	return all
}

// folder holds what the machine writes, in a run's folder.
func (m machine) folder(dir string) string { return filepath.Join(dir, dataFolder, m.Name) }

// socket is where containerd is reached from outside the machine.
func (m machine) socket(dir string) string { return filepath.Join(m.folder(dir), containerdSocket) }

func sockets(dir string) []string {
	var all []string
	for _, m := range machines {
		all = append(all, m.socket(dir))
	}
	return all
}

// folders are the places that a machine has for itself. Logs are outside of what is removed.
func (m machine) folders(dir string) map[string]string {
	return map[string]string{
		"/run":     filepath.Join(m.folder(dir), "run"),
		"/var/lib": filepath.Join(m.folder(dir), "lib"),
		"/var/log": filepath.Join(dir, m.Name),
	}
}

func (m machine) makeFolders(dir string) error {
	for _, folder := range m.folders(dir) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(m.folder(dir), settingsFolder), 0o700)
}
