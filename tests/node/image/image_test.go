package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// shell stands for any program with shared libraries.
const shell = "/bin/sh"

func imageOf(t *testing.T, name string, programs ...Program) *Image {
	t.Helper()
	parsed, err := ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	return &Image{Name: parsed, Programs: programs, Labels: map[string]string{}}
}

func pack(t *testing.T, image *Image) (digest.Digest, map[string][]byte) {
	t.Helper()
	var archive bytes.Buffer
	id, err := image.Write(&archive)
	if err != nil {
		t.Fatal(err)
	}
	return id, unpack(t, &archive)
}

func unpack(t *testing.T, archive io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSameContentHasSameDigest(t *testing.T) {
	first, _ := pack(t, imageOf(t, "product:1", Program{shell, "/bin/sh"}))
	second, _ := pack(t, imageOf(t, "product:1", Program{shell, "/bin/sh"}))
	if first != second {
		t.Errorf("%s and %s", first, second)
	}
}

func TestLabelOrContentChangesDigest(t *testing.T) {
	plain, _ := pack(t, imageOf(t, "product:1", Program{shell, "/bin/sh"}))
	labelled := imageOf(t, "product:1", Program{shell, "/bin/sh"})
	labelled.Labels["version"] = "2"
	withLabel, _ := pack(t, labelled)
	elsewhere, _ := pack(t, imageOf(t, "product:1", Program{shell, "/bin/other"}))
	if plain == withLabel || plain == elsewhere {
		t.Errorf("%s, with a label %s, with another path %s", plain, withLabel, elsewhere)
	}
}

func TestDigestsAreThoseOfTheBlobs(t *testing.T) {
	id, files := pack(t, imageOf(t, "product:1", Program{shell, "/bin/sh"}))
	var manifest v1.Manifest
	if err := json.Unmarshal(files["blobs/sha256/"+id.Encoded()], &manifest); err != nil {
		t.Fatal(err)
	}
	for _, blob := range append(manifest.Layers, manifest.Config) {
		content := files["blobs/sha256/"+blob.Digest.Encoded()]
		if digest.FromBytes(content) != blob.Digest || int64(len(content)) != blob.Size {
			t.Errorf("%s is not what its name says", blob.Digest)
		}
	}
}

func TestLayerHasProgramLibrariesAndUser(t *testing.T) {
	layer, err := imageOf(t, "product:1", Program{shell, "/usr/bin/product"}).layer()
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := layer.write(&archive); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, &archive)
	if !bytes.HasPrefix(files["usr/bin/product"], []byte("\x7fELF")) {
		t.Error("no program")
	}
	if !strings.Contains(string(files["etc/passwd"]), ":65532:") {
		t.Error("no user")
	}
	libc := slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(name string) bool { return strings.Contains(name, "/libc.so") })
	if _, tmp := files["tmp/"]; !tmp || !libc {
		t.Error("no /tmp or no libc")
	}
}

func TestMissingLibraryIsNamed(t *testing.T) {
	_, err := parseLdd("product", "\tlinux-vdso.so.1 (0x1)\n\tlibabsent.so.1 => not found\n")
	if err == nil || !strings.Contains(err.Error(), "libabsent.so.1") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNoProgramIsRefused(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := imageOf(t, "product:1", Program{text, "/text"}).Write(io.Discard); err == nil {
		t.Error("packed")
	}
}

func TestNameNeedsATag(t *testing.T) {
	if _, err := ParseName("product"); err == nil {
		t.Error("accepted")
	}
	if name, err := ParseName("product:1"); err != nil || name.String() != "docker.io/library/product:1" {
		t.Errorf("%v, %v", name, err)
	}
}
