// Package image packs programs as an OCI image, an archive of three JSON files and a layer. Nothing in it depends on
// when or where it was packed.
package image

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const user = 65532

// Image is what to pack.
type Image struct {
	Name       reference.NamedTagged
	Programs   []Program
	Entrypoint string // the first program, if empty
	Labels     map[string]string
}

// Program is a file of this machine and its place in the image.
type Program struct{ File, Path string }

// ParseName completes a name as container runtimes do: cpr-operator:1 is docker.io/library/cpr-operator:1.
func ParseName(text string) (reference.NamedTagged, error) {
	name, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return nil, err
	}
	tagged, ok := name.(reference.NamedTagged)
	if !ok {
		return nil, fmt.Errorf("%s has no tag: write it as NAME:TAG", text)
	}
	return tagged, nil
}

// Write writes the image's archive and gives the image's digest.
func (i *Image) Write(out io.Writer) (digest.Digest, error) {
	layer, err := i.layer()
	if err != nil {
		return "", err
	}
	layerBlob, err := measure(layer)
	if err != nil {
		return "", err
	}
	config := blobOf(v1.MediaTypeImageConfig, i.config(layerBlob.Digest))
	manifest := blobOf(v1.MediaTypeImageManifest, v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageManifest,
		Config:    config.Descriptor,
		Layers:    []v1.Descriptor{layerBlob.Descriptor},
	})
	blobs := []blob{layerBlob, config, manifest}
	return manifest.Digest, writeArchive(out, i.index(manifest.Descriptor), blobs)
}

func (i *Image) config(layer digest.Digest) v1.Image {
	entrypoint := i.Entrypoint
	if entrypoint == "" {
		entrypoint = i.Programs[0].Path
	}
	return v1.Image{
		Created:  &time.Time{},
		Platform: v1.Platform{Architecture: runtime.GOARCH, OS: "linux"},
		Config: v1.ImageConfig{
			User:       fmt.Sprintf("%d:%d", user, user),
			Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			Entrypoint: []string{entrypoint},
			WorkingDir: "/",
			Labels:     i.Labels,
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer}},
	}
}

func (i *Image) index(manifest v1.Descriptor) v1.Index {
	manifest.Annotations = map[string]string{
		"io.containerd.image.name": i.Name.String(),
		v1.AnnotationRefName:       i.Name.Tag(),
	}
	return v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageIndex,
		Manifests: []v1.Descriptor{manifest},
	}
}

// blob is a part of the archive that others refer to by its digest.
type blob struct {
	v1.Descriptor
	write func(io.Writer) error
}

func blobOf(mediaType string, value any) blob {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // of types that are made for it
	}
	return blob{
		Descriptor: v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(text), Size: int64(len(text))},
		write:      func(out io.Writer) error { _, err := out.Write(text); return err },
	}
}

// measure writes the layer into nothing first, as its digest and size have to be known before it.
func measure(l *layer) (blob, error) {
	digester := digest.Canonical.Digester()
	size := &counter{}
	if err := l.write(io.MultiWriter(digester.Hash(), size)); err != nil {
		return blob{}, err
	}
	descriptor := v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: digester.Digest(), Size: size.bytes}
	return blob{Descriptor: descriptor, write: l.write}, nil
}

type counter struct{ bytes int64 }

func (c *counter) Write(part []byte) (int, error) {
	c.bytes += int64(len(part))
	return len(part), nil
}

func writeArchive(out io.Writer, index v1.Index, blobs []blob) error {
	archive := tar.NewWriter(out)
	files := []blob{
		blobOf("", v1.ImageLayout{Version: v1.ImageLayoutVersion}),
		blobOf("", index),
	}
	for n, name := range []string{v1.ImageLayoutFile, v1.ImageIndexFile} {
		if err := files[n].writeTo(archive, name); err != nil {
			return err
		}
	}
	for _, b := range blobs {
		name := fmt.Sprintf("%s/%s/%s", v1.ImageBlobsDir, b.Digest.Algorithm(), b.Digest.Encoded())
		if err := b.writeTo(archive, name); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (b blob) writeTo(archive *tar.Writer, name string) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: b.Size}); err != nil {
		return err
	}
	return b.write(archive)
}
