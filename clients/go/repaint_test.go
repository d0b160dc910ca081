// What a program in Go may rely on.
package repaint

import (
	"bytes"
	"encoding/json"
	"go/format"
	"os"
	"testing"
)

const body = `{"model":"black-forest-labs/FLUX.2-pro","prompt":"night","reference_images":["https://images.example/cat.png"],"width":1024,"height":768,"seed":7}`

func TestBodyComesBackAsItWas(t *testing.T) {
	var request TogetherFlux2ProRequest
	reader := json.NewDecoder(bytes.NewReader([]byte(body)))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&request); err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var was, is map[string]any
	if json.Unmarshal([]byte(body), &was) != nil || json.Unmarshal(written, &is) != nil || len(was) != len(is) {
		t.Fatalf("%s became %s: what is absent must stay absent", body, written)
	}
}

func TestFieldOfAnotherModelIsSeen(t *testing.T) {
	reader := json.NewDecoder(bytes.NewReader([]byte(`{"prompt":"night","image_url":"https://images.example/cat.png"}`)))
	reader.DisallowUnknownFields()
	if reader.Decode(&TogetherFlux2ProRequest{}) == nil {
		t.Fatal("image_url is Kontext's")
	}
}

func TestGeneratedFileIsFormatted(t *testing.T) {
	text, err := os.ReadFile("repaint.go")
	if err != nil {
		t.Fatal(err)
	}
	if formatted, err := format.Source(text); err != nil || !bytes.Equal(text, formatted) {
		t.Fatal("repaint.go is not as gofmt has it", err)
	}
}
