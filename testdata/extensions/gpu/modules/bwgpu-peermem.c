// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include "bwgpu.h"

static int __init peermem_init(void)
{
	return bwgpu_uvm_attach("peermem") < 0 ? -EINVAL : 0;
}

static void __exit peermem_exit(void) {}

module_init(peermem_init);
module_exit(peermem_exit);
MODULE_DESCRIPTION("test graphics driver");
MODULE_LICENSE("GPL");
