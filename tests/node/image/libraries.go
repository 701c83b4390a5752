package image

import (
	"debug/elf"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// librariesOf lists the paths of the shared libraries of a program and of the loader that finds them.
func librariesOf(program string) ([]string, error) {
	file, err := elf.Open(program)
	if err != nil {
		return nil, fmt.Errorf("%s is no program: %w", program, err)
	}
	defer file.Close()
	dynamic := slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if !dynamic {
		return nil, nil
	}
	out, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w: %s", program, err, out)
	}
	return parseLdd(program, string(out))
}

// parseLdd reads lines such as "libc.so.6 => /lib/libc.so.6 (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)". What the
// kernel provides has no path.
func parseLdd(program, text string) ([]string, error) {
	var paths []string
	for line := range strings.Lines(text) {
		name, found, renamed := strings.Cut(strings.TrimSpace(line), " => ")
		if !renamed {
			found = name
		}
		if strings.HasPrefix(found, "not found") {
			return nil, fmt.Errorf("%s needs %s, which is not on this machine: install it", program, name)
		}
		if path, _, _ := strings.Cut(found, " ("); strings.HasPrefix(path, "/") {
			paths = append(paths, path)
		}
	}
	return paths, nil
}
