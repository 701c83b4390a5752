package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"testbed/cluster/plane"
	"testbed/cluster/process"
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
	startLimit       = time.Minute // of containerd; half a second on an idle machine
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

// join gives the machine what it needs to be a node of the cluster.
func (m machine) join(dir string, p *plane.Plane) error {
	settings := filepath.Join(m.folder(dir), settingsFolder)
	if err := os.WriteFile(filepath.Join(settings, "ca.crt"), p.Authority, 0o600); err != nil {
		return err
	}
	server := plane.Server(m.Name, net.ParseIP(m.Address))
	if err := p.Issue(settings, "kubelet.crt", "kubelet.key", server); err != nil {
		return err
	}
	for file, user := range map[string]plane.User{
		"kubelet.kubeconfig": plane.Kubelet(m.Name),
		"proxy.kubeconfig":   plane.Proxy,
	} {
		if err := p.WriteKubeconfig(filepath.Join(settings, file), user); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(m.folder(dir), joinedFile), nil, 0o600)
}

// runMachine is the first process of a machine; the present folder is the run's.
func runMachine(args []string) error {
	if len(args) != 2 {
		return process.ErrUsage
	}
	m, err := machineNamed(args[0])
	if err != nil {
		return err
	}
	if err := m.separate(); err != nil {
		return err
	}
	group := process.NewGroup(m.Name, ".")
	defer group.Stop()
	if err := m.startContainerd(group); err != nil {
		return err
	}
	if err := group.Await("the control plane is there", readyLimit, nil, func() bool { return exists(joinedFile) }); err != nil {
		return err
	}
	group.TendOrphans() // a pod's first process is one
	if err := m.startKubelet(group, args[1]); err != nil {
		return err
	}
	return group.Lost(<-group.Gone)
}

func machineNamed(name string) (machine, error) {
	for _, m := range machines {
		if m.Name == name {
			return m, nil
		}
	}
	return machine{}, process.ErrUsage
}

func (m machine) separate() error {
	if err := makeMountsPrivate(); err != nil {
		return err
	}
	if err := m.replaceFolders(); err != nil {
		return err
	}
	if err := shieldKernelSettings(); err != nil {
		return err
	}
	if err := shareMounts(); err != nil {
		return err
	}
	return m.connect()
}

func (m machine) startContainerd(group *process.Group) error {
	values := map[string]string{
		"Socket": containerdSocket, "Pause": pauseImage, "Plugins": pluginFolder, "Networks": settingsFolder + "/networks",
		"PodRange": m.PodRange,
	}
	if err := os.Mkdir(values["Networks"], 0o755); err != nil {
		return err
	}
	for template, file := range map[string]string{
		"containerd.toml": settingsFolder + "/containerd.toml",
		"pods.conflist":   values["Networks"] + "/pods.conflist",
	} {
		if err := writeConfig(template, file, values); err != nil {
			return err
		}
	}
	containerd := exec.Command("containerd", "--config", settingsFolder+"/containerd.toml")
	return group.Start(m.Name+"-containerd", containerd)
}

func (m machine) startKubelet(group *process.Group, cgroup string) error {
	values := map[string]string{
		"Socket": containerdSocket, "Settings": settingsFolder, "Name": m.Name, "Address": m.Address, "DNS": hubAddress,
		"Cgroup": cgroupOf(cgroup, m), "PodRange": podRange,
	}
	for _, template := range []string{"kubelet.yaml", "kube-proxy.yaml"} {
		if err := writeConfig(template, filepath.Join(settingsFolder, template), values); err != nil {
			return err
		}
	}
	if err := os.WriteFile(settingsFolder+"/resolv.conf", nil, 0o644); err != nil { // there is no world outside
		return err
	}
	kubelet := exec.Command("/proc/self/exe", kubeletCommand, "--config="+settingsFolder+"/kubelet.yaml",
		"--kubeconfig="+settingsFolder+"/kubelet.kubeconfig", "--hostname-override="+m.Name, "--node-ip="+m.Address)
	if err := group.Start(m.Name+"-kubelet", kubelet); err != nil {
		return err
	}
	proxy := exec.Command("/proc/self/exe", proxyCommand, "--config="+settingsFolder+"/kube-proxy.yaml")
	return group.Start(m.Name+"-kube-proxy", proxy)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
