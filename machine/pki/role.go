package pki

import (
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// The roles of clients of the node API, which are organizations of their certificates.
const (
	RoleAdmin      = "os:admin"
	RoleOperator   = "os:operator"
	RoleReader     = "os:reader"
	RoleEtcdBackup = "os:etcd:backup"
)

// Roles are all the roles there are, the mightiest first.
func Roles() []string { return []string{RoleAdmin, RoleOperator, RoleReader, RoleEtcdBackup} }

// CheckRoles refuses an empty list, a role that is not one of Roles and a role given twice.
func CheckRoles(roles []string) error {
	if len(roles) == 0 {
		return report.Errorf(report.Invalid, "no role")
	}
	for i, r := range roles {
		switch {
		case !slices.Contains(Roles(), r):
			hint := "roles: " + strings.Join(Roles(), ", ")
			if near := report.Nearest(r, Roles()); near != "" {
				hint = "did you mean " + near + "?"
			}
			return report.WithHint(report.Errorf(report.Invalid, "unknown role %q", r), "%s", hint)
		case slices.Contains(roles[:i], r):
			return report.Errorf(report.Invalid, "role %s is given twice", r)
		}
	}
	return nil
}
