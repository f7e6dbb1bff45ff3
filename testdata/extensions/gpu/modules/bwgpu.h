/* SPDX-License-Identifier: GPL-2.0 */
#define BWGPU_FIRMWARE "bwgpu/gsp.bin"

extern int bwgpu_users;
int bwgpu_uvm_attach(const char *who);

#define BWGPU_MODULE(name)                                                            \
	static int __init name##_init(void)                                           \
	{                                                                             \
		pr_info(#name ": user %d of bwgpu\n", ++bwgpu_users);                 \
		return 0;                                                             \
	}                                                                             \
	static void __exit name##_exit(void) { bwgpu_users--; }                       \
	module_init(name##_init);                                                     \
	module_exit(name##_exit);                                                     \
	MODULE_DESCRIPTION("test graphics driver");                                   \
	MODULE_LICENSE("GPL")
