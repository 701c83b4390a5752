package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"testbed/cluster/process"
)

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
	// The run, whose limits are shorter, gives up first.
	if err := group.Await(joinedFile, time.Hour, nil, func() bool { return exists(joinedFile) }); err != nil {
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
	kubelet := process.Self(kubeletCommand, "--config="+settingsFolder+"/kubelet.yaml",
		"--kubeconfig="+settingsFolder+"/kubelet.kubeconfig", "--hostname-override="+m.Name, "--node-ip="+m.Address)
	if err := group.Start(m.Name+"-kubelet", kubelet); err != nil {
		return err
	}
	proxy := process.Self(proxyCommand, "--config="+settingsFolder+"/kube-proxy.yaml")
	return group.Start(m.Name+"-kube-proxy", proxy)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
