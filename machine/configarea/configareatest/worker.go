// Package configareatest has machine configurations for tests.
package configareatest

import "fmt"

// Token is what is secret in Worker's configurations.
const Token = "abcdef.0123456789abcdef"

// Worker is a valid configuration of a metal machine with that host name. Its certificate authority is one that nobody has
// the key of.
func Worker(hostname string) string {
	return fmt.Sprintf(`version: v1alpha1
machine:
  type: worker
  token: %s
  ca:
    crt: %s
  network:
    hostname: %s
  install:
    disk: /dev/sda
cluster:
  controlPlane:
    endpoint: https://10.0.0.1:6443
`, Token, authority, hostname)
}

const authority = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJQakNCOGFBREFnRUNBaEJGbC9od2M1U0ZCbVREeTcvbU1vWTNNQVVHQXl0bGNEQVFNUT" +
	"R3REFZRFZRUUsKRXdWMFlXeHZjekFlRncweU5qRXhNakl4T0RFNE1qZGFGdzB6TmpFeE1Ua3hPREU0TWpkYU1CQXhEakFNQmdOVgpCQW9UQlhS" +
	"aGJHOXpNQ293QlFZREsyVndBeUVBaE1MK0k1TGdtWm9WQnhsUyszSXdkcDBxaEVYZW9BcjdTVld4CjQxT2t5aktqWVRCZk1BNEdBMVVkRHdFQi" +
	"93UUVBd0lDaERBZEJnTlZIU1VFRmpBVUJnZ3JCZ0VGQlFjREFRWUkKS3dZQkJRVUhBd0l3RHdZRFZSMFRBUUgvQkFVd0F3RUIvekFkQmdOVkhR" +
	"NEVGZ1FVeFpCMXJBeFZaOGtJWmI0WAorNENUNldtN2NhWXdCUVlESzJWd0EwRUF0c0J4VkR2YlpHZW1TblVTNUUwUWZ3RUg5bmJhMEN5cUFXai" +
	"8wcjVxCmhCTzEyb3NQdTNnSFhDaFAxcmVaNEgxR2dEMGZFK1RpRng0aU5WZDlPd094QlE9PQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==" +
	""
