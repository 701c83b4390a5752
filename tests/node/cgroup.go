package main

import (
	"crypto/rand"
	"os"
	"path/filepath"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"

	"testbed/cluster/process"
)

// cgroup is the place of one run's pods in every hierarchy of control groups. These outlive their processes; a lock
// tells those of runs that were killed.
type cgroup struct {
	name string
	lock *os.File
}

// claimCgroup makes one, and removes those that nobody holds any more.
func claimCgroup() (*cgroup, error) {
	removeAbandonedCgroups()
	name := namePrefix + rand.Text()
	lockPath, err := cgroupLock(name)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(lockPath, 0o755); err != nil {
		return nil, err
	}
	lock, err := process.TryLock(lockPath)
	if err != nil {
		return nil, err
	}
	c := &cgroup{name, lock}
	for _, m := range machines {
		if err := makeCgroup(c.of(m)); err != nil {
			c.remove()
			return nil, err
		}
	}
	return c, nil
}

// of is the name of the cgroup of one machine's pods.
func (c *cgroup) of(m machine) string { return cgroupOf(c.name, m) }

func cgroupOf(run string, m machine) string { return "/" + run + "/" + m.Name }

func (c *cgroup) remove() {
	removeCgroups(c.name)
	c.lock.Close()
}

// makeCgroup does it as the kubelet would, which wants to find its root.
func makeCgroup(path string) error {
	group, err := manager.New(&cgroups.Cgroup{Path: path, Resources: &cgroups.Resources{}})
	if err != nil {
		return err
	}
	return group.Apply(-1) // no process
}

// cgroupLock is the folder whose lock stands for all of a name.
func cgroupLock(name string) (string, error) {
	group, err := manager.New(&cgroups.Cgroup{Path: "/" + name, Resources: &cgroups.Resources{}})
	if err != nil {
		return "", err
	}
	return group.Path("devices"), nil
}

func removeAbandonedCgroups() {
	for _, path := range cgroupFolders(namePrefix + "*") {
		name := filepath.Base(path)
		lockPath, err := cgroupLock(name)
		if err != nil {
			continue
		}
		lock, err := process.TryLock(lockPath)
		if err == nil || os.IsNotExist(err) {
			removeCgroups(name)
		}
		if err == nil {
			lock.Close()
		}
	}
}

func removeCgroups(name string) {
	for _, path := range cgroupFolders(name) {
		if err := cgroups.RemovePath(path); err != nil {
			process.Say("%v", err)
		}
	}
}

// cgroupFolders lists what has a name in any hierarchy: there are several in version 1 and one in version 2.
func cgroupFolders(name string) []string {
	one, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", name))
	several, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup/*", name))
	return append(one, several...)
}
