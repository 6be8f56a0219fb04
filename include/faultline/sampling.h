/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * sampling.h - from samples to estimates, each with its error.
 *
 * A sample of period P stands for P accesses, of which one was looked at. What is
 * estimated from samples is never exact, so every estimate is an interval that holds
 * the true number in about 95 of 100 recordings. It is wide when the samples are few:
 * about ±20 % at 100 samples, ±2 % at 10,000.
 *
 * It assumes that samples hit accesses independently of what they do. A loop whose
 * length divides the period breaks that: periods are therefore not round, and Arm adds
 * a random part itself. Accesses that the hardware cannot sample (see
 * docs/sample-mode.md) are not in any estimate.
 */
#ifndef FAULTLINE_SAMPLING_H
#define FAULTLINE_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

/** Samples that belong together: of one page, mapping, function, or all. Zero at first. */
struct fl_samples {
    uint64_t n;
    uint64_t period_max;    /* the largest period among all samples of the event, not these alone */
    double periods;         /* sum of the samples' periods */
    double periods_squared; /* sum of their squares */
};

/** fl_samples_add - one more sample, of @period accesses. */
void fl_samples_add(struct fl_samples *samples, uint64_t period);

/** What a recording of one event could not see. All zero: it saw everything. */
struct fl_sampling_loss {
    uint64_t enabled_ns, running_ns; /* wanted and had a counter: less when events take turns */
    uint64_t throttled_ns; /* of running_ns: stopped by the kernel for sampling too fast */
    uint64_t taken, lost;  /* samples recorded, and those that found no room */
};

/**
 * fl_sampling_seen - the part of what happened that had a chance to be sampled, 0 to 1.
 * 0 when the event never ran.
 */
double fl_sampling_seen(const struct fl_sampling_loss *loss);

struct fl_estimate {
    double value;     /* the estimate */
    double low, high; /* its 95 % interval; high is infinite when nothing was seen */
    double at_least;  /* the interval's lower end if nothing at all happened unseen */
};

/**
 * fl_estimate_count - how many accesses @samples stand for.
 * @loss: NULL for none. What was not seen is taken to be like what was: value, low and high
 * are divided by fl_sampling_seen(), at_least is not.
 * Interval: of a weighted sum of Poisson counts (Fay and Feuer, Statistics in Medicine 16,
 * 1997), with Wilson and Hilferty's approximation of chi-squared quantiles. For equal periods
 * this is the usual interval of a Poisson count. No samples: 0 to 3.7 times period_max.
 */
void fl_estimate_count(const struct fl_samples *samples, const struct fl_sampling_loss *loss,
                       struct fl_estimate *out);

/**
 * fl_estimate_share - the part of all accesses, 0 to 1, that @n of @of samples stand for.
 * All samples have the same period, or one that does not depend on what is asked for.
 * Lost time and samples do not matter while they hit everything alike; at_least is low.
 * Interval: Wilson's score interval. @of is 0: 0 to 1.
 */
void fl_estimate_share(uint64_t n, uint64_t of, struct fl_estimate *out);

/**
 * fl_estimate_part - as fl_estimate_share(), times @total accesses that were counted.
 * For events whose samples are picked by the hardware, where a period says nothing.
 */
void fl_estimate_part(uint64_t n, uint64_t of, double total, struct fl_estimate *out);

/**
 * fl_estimate_sum - of @n numbers that were estimated from samples of their own, as of loads and
 * of stores. Its interval: their distances to the estimates added as independent errors are, by
 * squares; at_least: their sum, which is no more than it could be. @n is 0: all zero.
 */
void fl_estimate_sum(const struct fl_estimate *parts, size_t n, struct fl_estimate *out);

#endif
