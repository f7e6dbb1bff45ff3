/* What a container runtime would call before a container starts. */
#include <stdio.h>

int main(void)
{
	return puts("bwgpu-hook") < 0;
}
