/* A QEMU plugin that counts executed guest instructions. It declares the parts of QEMU's plugin interface that it uses,
 * so that the headers of QEMU and glib are not needed: https://www.qemu.org/docs/master/devel/tcg-plugins.html
 *
 * The guest sets a mark with the system call getsid(0x7e570000 + number), in Python os.getsid, which fails without any
 * effect. The plugin then writes "mark NUMBER COUNT" to QEMU's log, with the instructions since the previous mark.
 * All threads add to one counter without a lock, so counts are correct only for one thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))
#define GETSID_ARM64 156
#define GETSID_ARM 147
#define MARK 0x7e570000u

struct qemu_plugin_tb;
typedef uint64_t plugin_id;
typedef void (*translated)(plugin_id, struct qemu_plugin_tb *);
typedef void (*system_call)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                            uint64_t, uint64_t);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, system_call);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int add, void *, uint64_t);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_outs(const char *);

EXPORT int qemu_plugin_version = 1;
static uint64_t executed, marked;

static void on_translation(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &executed, qemu_plugin_tb_n_insns(block));
}

static void on_system_call(plugin_id id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                           uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if ((number != GETSID_ARM64 && number != GETSID_ARM) || (a1 & 0xffff0000u) != MARK)
        return;
    char line[64];
    snprintf(line, sizeof line, "mark %d %llu\n", (int)(a1 & 0xffff), (unsigned long long)(executed - marked));
    marked = executed;
    qemu_plugin_outs(line);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_system_call);
    return 0;
}
