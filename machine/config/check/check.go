// Package check is what the validation of machine configuration documents is written with: a place that findings are
// attached to, the rules that struct tags say, and the notations of text fields.
//
// Tags of fields, which the JSON Schema is made from too:
//
//	enum:"a|b"       the value, or every item, is one of these
//	range:"1-65535"  the number is in this range, zero standing for a field that is not there
//	required:"yes"   the field is there
//	is:"cidr"        the text, or every item, is in this notation; see Notation
//	keys:"sysctl"    every key of the mapping is in this notation
//	old:"use X"      the field still works, with a warning
//	doc:"A text."    what the field means
package check

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// Mode is the kind of machine that a configuration is for.
type Mode string

// The modes. The zero value is Metal.
const (
	Metal     Mode = "metal"
	Cloud     Mode = "cloud"
	Container Mode = "container"
)

// Options of a validation. The zero value works, but does not look at the validity time of certificates.
type Options struct {
	Mode   Mode
	Strict bool      // warnings are faults
	Now    time.Time // certificates must be valid then; zero means not to look
}

// Place is a field of a document that findings can be said of.
type Place struct {
	doc      *yamldoc.Doc
	options  Options
	findings *report.Findings
	path     string
}

// Document is the Place of a whole document; findings are added to fs.
func Document(doc *yamldoc.Doc, o Options, fs *report.Findings) Place {
	if o.Mode == "" {
		o.Mode = Metal
	}
	return Place{doc: doc, options: o, findings: fs}
}

// Mode is the kind of machine that the configuration is checked for.
func (p Place) Mode() Mode { return p.options.Mode }

// Field is the place of a field in the mapping at p; name may be a path, such as network.interfaces.
func (p Place) Field(name string) Place {
	for _, key := range strings.Split(name, ".") {
		p.path = yamldoc.FieldPath(p.path, key)
	}
	return p
}

// Key is the place of a key, whatever is in it, of the mapping at p.
func (p Place) Key(key string) Place {
	p.path = yamldoc.FieldPath(p.path, key)
	return p
}

// Item is the place of an item of the list at p.
func (p Place) Item(i int) Place {
	p.path = yamldoc.IndexPath(p.path, i)
	return p
}

// Has reports whether the document says anything at p, if only an empty value.
func (p Place) Has() bool { return p.doc.Has(p.path) }

// Fault says what is wrong at p and what to do, which may be "".
func (p Place) Fault(hint, format string, args ...any) {
	*p.findings = append(*p.findings, p.finding(fmt.Sprintf(format, args...), hint))
}

// finding is a fault at p, or where the document begins if nothing of it is there.
func (p Place) finding(message, hint string) report.Finding {
	f := p.doc.Finding(p.path, message, hint)
	if f.Line == 0 {
		f = p.doc.FindingAt(p.doc.Node(), message, hint)
		f.Path = p.path
	}
	return f
}

// Warn says what is doubtful at p; it is a fault where the validation is strict.
func (p Place) Warn(hint, format string, args ...any) {
	f := p.finding(fmt.Sprintf(format, args...), hint)
	if !p.options.Strict {
		f.Severity = report.Warning
	}
	*p.findings = append(*p.findings, f)
}

// Tags checks v, a struct, and everything in it against the tags of its fields.
func (p Place) Tags(v reflect.Value) {
	for _, f := range yamldoc.Fields(v.Type()) {
		field, at := v.FieldByIndex(f.Index), p.Field(f.Name)
		if field.IsZero() {
			if f.Tag.Get("required") != "" && !(at.Has() && field.Kind() != reflect.String) {
				at.Fault("", "the field is required")
			}
			if !at.Has() {
				continue
			}
		}
		if instead, old := f.Tag.Lookup("old"); old {
			at.Warn(instead, "the field is out of use")
		}
		at.value(field, f.Tag)
	}
}

// value checks v, which tag is about, and what is in it.
func (p Place) value(v reflect.Value, tag reflect.StructTag) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			p.value(v.Elem(), tag)
		}
	case reflect.Struct:
		if !isText(v.Type()) {
			p.Tags(v)
		}
	case reflect.Slice:
		for i := range v.Len() {
			p.Item(i).value(v.Index(i), tag)
		}
	case reflect.Map:
		p.mapping(v, tag)
	case reflect.String:
		p.text(v.String(), tag)
	case reflect.Int, reflect.Int32, reflect.Int64:
		p.number(v.Int(), tag)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if !isText(v.Type()) {
			p.number(int64(min(v.Uint(), 1<<62)), tag)
		}
	}
}

// isText reports whether values of t are written as text with a notation of their own, which decoding has checked.
func isText(t reflect.Type) bool {
	_, ok := reflect.PointerTo(t).MethodByName("UnmarshalText")
	return ok
}

func (p Place) mapping(v reflect.Value, tag reflect.StructTag) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		at := p.Key(key.String())
		if notation := tag.Get("keys"); notation != "" {
			if err := Notation(notation, key.String()); err != nil {
				at.Fault(report.HintOf(err), "the name %v", err)
			}
		}
		at.value(v.MapIndex(key), tag)
	}
}

func (p Place) text(s string, tag reflect.StructTag) {
	if s == "" {
		return
	}
	if enum := tag.Get("enum"); enum != "" {
		words := strings.Split(enum, "|")
		if !slices.Contains(words, s) {
			hint := "one of " + strings.Join(words, ", ")
			if near := report.Nearest(s, words); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			p.Fault(hint, "unknown value %.60q", s)
		}
	}
	switch notation := tag.Get("is"); notation {
	case "":
	case certificate, key:
		p.PEM(notation, s)
	default:
		if err := Notation(notation, s); err != nil {
			p.Fault(report.HintOf(err), "%v", err)
		}
	}
}

func (p Place) number(n int64, tag reflect.StructTag) {
	low, high, ok := Range(tag)
	if ok && n != 0 && (n < low || n > high) {
		p.Fault("", "%d is not in the range from %d to %d", n, low, high)
	}
}

// Range is what a range tag says.
func Range(tag reflect.StructTag) (low, high int64, ok bool) {
	first, last, ok := strings.Cut(tag.Get("range"), "-")
	if !ok {
		return 0, 0, false
	}
	low, err1 := strconv.ParseInt(first, 10, 64)
	high, err2 := strconv.ParseInt(last, 10, 64)
	if err1 != nil || err2 != nil {
		panic("check: bad range tag " + tag.Get("range"))
	}
	return low, high, true
}

// Once says a fault at every item of the list at p whose key an earlier item has too; an empty key is none.
func (p Place) Once(what string, keys []string) { twice(what, keys, p.Item, Place.Fault) }

// OnceIsEnough is Once for items of which a second one does no harm, such as those that a patch appended again: it warns.
func (p Place) OnceIsEnough(what string, keys []string) { twice(what, keys, p.Item, Place.Warn) }

func twice(what string, keys []string, item func(int) Place, say func(p Place, hint, format string, args ...any)) {
	first := map[string]int{}
	for i, key := range keys {
		if j, before := first[key]; before && key != "" {
			say(item(i), fmt.Sprintf("the first is %s", item(j).path), "%s %.100s is given twice", what, key)
		} else if !before {
			first[key] = i
		}
	}
}
