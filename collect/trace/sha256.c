/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <unistd.h>

#include <faultline/trace.h>

int fl_sha256_file(const char *path, char hex[65], struct fl_err *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t buf[65536], digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx ctx;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fl_fail_errno(err, "%s: cannot open", path);
    sha256_init(&ctx);
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            sha256_update(&ctx, (size_t)n, buf);
    int rc = n < 0 ? fl_fail_errno(err, "%s: cannot read", path) : FL_OK;
    close(fd);
    if (rc != FL_OK)
        return rc;
    sha256_digest(&ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
    return FL_OK;
}
