package modules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Wanted are the modules that a machine configuration asks for. It is for one goroutine.
type Wanted struct {
	l    *Loader
	done map[string]string // parameters that a module was loaded with, by name
}

// Wanted of a loader; none is loaded yet.
func (l *Loader) Wanted() *Wanted { return &Wanted{l, map[string]string{}} }

// Apply loads the modules that are not loaded yet, one after another in their order, and says what became of each. To call
// it again tries again those that failed. Modules that are no longer asked for stay: the kernel may use them.
//
// Parameters count for a module however it comes to be loaded, also as one that an earlier one of the list needs.
func (w *Wanted) Apply(list []v1alpha1.KernelModule) []bootreport.Asked {
	var out []bootreport.Asked
	for _, k := range list {
		w.l.offer(k)
	}
	for _, k := range list {
		parameters := strings.Join(k.Parameters, " ")
		a := bootreport.Asked{Name: k.Name, Value: parameters, State: bootreport.Applied}
		if was, done := w.done[k.Name]; !done || was != parameters {
			a.State, a.Reason = w.load(k)
		}
		if a.State == bootreport.Applied {
			w.done[k.Name] = parameters
		}
		out = append(out, a)
	}
	return out
}

func (w *Wanted) load(k v1alpha1.KernelModule) (state, why string) {
	modules, known := w.l.candidates(k.Name)
	if !known {
		return bootreport.Refused, "there is no such kernel module"
	}
	there := len(modules) == 0 || w.l.isLoaded(modules[0]) // one that is built in is there
	if !there {
		w.l.forget(modules)
		if err := w.l.Load(k.Name); err != nil {
			return bootreport.Refused, strings.TrimPrefix(err.Error(), "kernel module "+kmod.Name(k.Name)+": ")
		}
		return bootreport.Applied, ""
	}
	name := kmod.Name(k.Name)
	if len(modules) > 0 {
		name = modules[0].Name
		if w.l.loadedWith(name) == strings.Join(k.Parameters, " ") {
			return bootreport.Applied, ""
		}
	}
	if err := w.l.change(name, k.Parameters); err != nil {
		return bootreport.Pending, err.Error()
	}
	return bootreport.Applied, ""
}

// offer has the parameters of k given to what it stands for when that is loaded.
func (l *Loader) offer(k v1alpha1.KernelModule) {
	modules, _ := l.candidates(k.Name)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range modules {
		l.options[m.Name] = strings.Join(k.Parameters, " ")
	}
}

// loadedWith is the options, besides those of the command line, that the module was loaded with.
func (l *Loader) loadedWith(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.modules[name]; a != nil {
		return a.options
	}
	return ""
}

// isLoaded tells whether m was loaded, by init or by somebody else.
func (l *Loader) isLoaded(m *kmod.Module) bool {
	l.mu.Lock()
	a := l.modules[m.Name]
	l.mu.Unlock()
	if a != nil {
		<-a.done
		return a.err == nil
	}
	return l.isThere(m)
}

// forget lets modules, and what they need, be tried again if they failed.
func (l *Loader) forget(modules []*kmod.Module) {
	for _, m := range modules {
		order, _ := l.current().Load(m.Name)
		l.mu.Lock()
		for _, o := range append(order, m) {
			if a := l.modules[o.Name]; a != nil && a.ended() && a.err != nil {
				delete(l.modules, o.Name)
				l.ended = without(l.ended, a)
			}
		}
		l.mu.Unlock()
	}
}

func (a *attempt) ended() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

func without(all []*attempt, a *attempt) (rest []*attempt) {
	for _, o := range all {
		if o != a {
			rest = append(rest, o)
		}
	}
	return rest
}

// change sets parameters of a module that is loaded. Most modules let few of theirs be changed.
func (l *Loader) change(module string, parameters []string) error {
	var faults []error
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		file := "/sys/module/" + module + "/parameters/" + name
		now, err := l.m.ReadFile(file)
		if err == nil && strings.TrimSpace(string(now)) == value {
			continue
		}
		if strings.ContainsRune(name, '/') {
			err = errors.New("it is no name of a parameter")
		} else if err == nil {
			err = l.m.WriteFile(file, []byte(value), 0)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("the module was loaded without %s, and keeps that: it takes a reboot with the kernel argument %s.%s", p, module, p))
		}
	}
	return errors.Join(faults...)
}
