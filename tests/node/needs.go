package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const pluginFolder = "/usr/lib/cni" // Debian's

// checkNeeds tells what this machine lacks. It also makes sure that root's programs are found.
func checkNeeds() error {
	if os.Getuid() != 0 {
		return errors.New("only root can make nodes: run it as root, or use a cluster of your own with CLUSTER=current")
	}
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		return err
	}
	var missing []string
	for _, program := range []string{"containerd", "ctr", "runc", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	for _, plugin := range []string{"host-local", "loopback", "ptp"} {
		if _, err := os.Stat(filepath.Join(pluginFolder, plugin)); err != nil {
			missing = append(missing, filepath.Join(pluginFolder, plugin))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing: %s: as root on Debian run tests/node/install, or use a cluster of your own with CLUSTER=current",
			strings.Join(missing, ", "))
	}
	return nil
}
