package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// kernelSettings are what the kubelet wants of the kernel. They are the whole computer's, so the machines see files of
// their own instead.
var kernelSettings = map[string]string{
	"kernel/keys/root_maxbytes": "25000000",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
}

// makeMountsPrivate keeps what is mounted in this mount namespace from everybody else.
func makeMountsPrivate() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }

// shareMounts is what systemd does on an ordinary machine, and what volumes with mount propagation need.
func shareMounts() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "") }

func mountProc() error {
	return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// useClusterDNS lets the command look Services up. Other name servers are out of its reach anyway.
func useClusterDNS(data string) error {
	const system = "/etc/resolv.conf"
	if _, err := os.Stat(system); err != nil {
		return nil
	}
	own := filepath.Join(data, "resolv.conf")
	if err := os.WriteFile(own, []byte("nameserver "+hubAddress+"\n"), 0o644); err != nil {
		return err
	}
	return bind(own, system)
}

// replaceFolders puts the machine's own folders in the places of the computer's.
func (m machine) replaceFolders() error {
	sources := map[string]*os.File{}
	for system, own := range m.folders(".") {
		file, err := os.Open(own)
		if err != nil {
			return err
		}
		defer file.Close()
		sources[system] = file
	}
	for system, file := range sources {
		// By its number, as one of the others may hide its path.
		if err := bind(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), system); err != nil {
			return err
		}
	}
	return nil
}

func shieldKernelSettings() error {
	const own = "/run/node/sysctl"
	for name, value := range kernelSettings {
		file := filepath.Join(own, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := bind(file, filepath.Join("/proc/sys", name)); err != nil {
			return err
		}
	}
	return nil
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", from, to, err)
	}
	return nil
}
