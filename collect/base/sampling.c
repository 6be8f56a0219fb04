/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/sampling.h>

#include <math.h>

#define Z 1.959963984540054 /* of 95 %, two-sided */

void fl_samples_add(struct fl_samples *samples, uint64_t period)
{
    samples->n++;
    samples->periods += (double)period;
    samples->periods_squared += (double)period * (double)period;
    if (period > samples->period_max)
        samples->period_max = period;
}

static double part_of(uint64_t part, uint64_t whole)
{
    return part >= whole ? 1 : (double)part / (double)whole;
}

double fl_sampling_seen(const struct fl_sampling_loss *loss)
{
    double seen = 1;
    if (loss->enabled_ns)
        seen *= part_of(loss->running_ns, loss->enabled_ns);
    if (loss->throttled_ns)
        seen *= loss->throttled_ns >= loss->running_ns
                    ? 0
                    : 1 - (double)loss->throttled_ns / (double)loss->running_ns;
    if (loss->lost)
        seen *= (double)loss->taken / ((double)loss->taken + (double)loss->lost);
    return seen;
}

/* Quantile of the gamma distribution with shape @shape and scale 1, at normal deviate @z. */
static double gamma_quantile(double shape, double z)
{
    double a = 1 / (9 * shape), cube = 1 - a + z * sqrt(a);
    return cube > 0 ? shape * cube * cube * cube : 0;
}

void fl_estimate_count(const struct fl_samples *samples, const struct fl_sampling_loss *loss,
                       struct fl_estimate *out)
{
    double y = samples->periods, v = samples->periods_squared, w = (double)samples->period_max;
    double seen = loss ? fl_sampling_seen(loss) : 1;
    *out = (struct fl_estimate){ .value = y };
    if (v > 0)
        out->low = v / y * gamma_quantile(y * y / v, -Z);
    out->at_least = out->low;
    if (w > 0) { /* as if the next sample had come just now */
        double y1 = y + w, v1 = v + w * w;
        out->high = v1 / y1 * gamma_quantile(y1 * y1 / v1, Z);
    }
    if (seen > 0) {
        out->value /= seen;
        out->low /= seen;
        out->high /= seen;
    } else {
        out->high = INFINITY;
    }
}

void fl_estimate_share(uint64_t n, uint64_t of, struct fl_estimate *out)
{
    *out = (struct fl_estimate){ .high = 1 };
    if (!of)
        return;
    double m = (double)of, p = part_of(n, of), z2 = Z * Z;
    double middle = (p + z2 / (2 * m)) / (1 + z2 / m);
    double half = Z / (1 + z2 / m) * sqrt(p * (1 - p) / m + z2 / (4 * m * m));
    out->value = p;
    out->low = n == 0 ? 0 : fmax(0, middle - half);
    out->high = n >= of ? 1 : fmin(1, middle + half);
    out->at_least = out->low;
}

void fl_estimate_part(uint64_t n, uint64_t of, double total, struct fl_estimate *out)
{
    fl_estimate_share(n, of, out);
    out->value *= total;
    out->low *= total;
    out->high *= total;
    out->at_least *= total;
}

void fl_estimate_sum(const struct fl_estimate *parts, size_t n, struct fl_estimate *out)
{
    double below = 0, above = 0;
    *out = (struct fl_estimate){ 0 };
    for (size_t i = 0; i < n; i++) {
        out->value += parts[i].value;
        out->at_least += parts[i].at_least;
        below += (parts[i].value - parts[i].low) * (parts[i].value - parts[i].low);
        above += (parts[i].high - parts[i].value) * (parts[i].high - parts[i].value);
    }
    out->low = fmax(0, out->value - sqrt(below));
    out->high = out->value + sqrt(above);
}
