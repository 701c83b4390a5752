package main

import (
	"embed"
	"os"
	"text/template"
)

//go:embed config
var configs embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(configs, "config/*"))

// writeConfig writes a file of config/ with the values in it.
func writeConfig(name, file string, values map[string]string) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	return templates.ExecuteTemplate(out, name, values)
}
