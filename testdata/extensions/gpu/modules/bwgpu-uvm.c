// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include "bwgpu.h"

int bwgpu_uvm_attach(const char *who)
{
	pr_info("bwgpu_uvm: %s\n", who);
	return bwgpu_users;
}
EXPORT_SYMBOL_GPL(bwgpu_uvm_attach);

MODULE_SOFTDEP("pre: bwgpu-modeset");
BWGPU_MODULE(bwgpu_uvm);
