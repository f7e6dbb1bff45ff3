// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include "bwgpu.h"

static bool fbdev;
module_param(fbdev, bool, 0444);
MODULE_SOFTDEP("post: bwgpu-peermem");
BWGPU_MODULE(bwgpu_modeset);
