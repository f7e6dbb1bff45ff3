// SPDX-License-Identifier: GPL-2.0
/* The module that the others link against. It asks for firmware as soon as it is loaded. */
#include <linux/firmware.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include "bwgpu.h"

static char *registry = "";
module_param(registry, charp, 0444);
MODULE_PARM_DESC(registry, "settings, as NAME=VALUE;NAME=VALUE");
static int open_kernel;
module_param(open_kernel, int, 0444);
MODULE_PARM_DESC(open_kernel, "1 takes hardware that is not supported");
static unsigned int firmware_bytes;
module_param(firmware_bytes, uint, 0444);
MODULE_PARM_DESC(firmware_bytes, "read only: how much firmware was found");

static struct platform_device *device;

int bwgpu_users;
EXPORT_SYMBOL_GPL(bwgpu_users);

static int __init bwgpu_init(void)
{
	const struct firmware *fw;

	device = platform_device_register_simple("bwgpu", -1, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	if (!request_firmware(&fw, BWGPU_FIRMWARE, &device->dev)) {
		firmware_bytes = fw->size;
		release_firmware(fw);
	}
	pr_info("bwgpu: registry=%s open_kernel=%d firmware=%u\n", registry, open_kernel, firmware_bytes);
	return 0;
}

static void __exit bwgpu_exit(void)
{
	platform_device_unregister(device);
}

module_init(bwgpu_init);
module_exit(bwgpu_exit);
MODULE_FIRMWARE(BWGPU_FIRMWARE);
MODULE_ALIAS("pci:v00001DEEd*sv*sd*bc03sc*i*");
MODULE_VERSION("550.1");
MODULE_DESCRIPTION("test graphics driver");
MODULE_LICENSE("GPL");
