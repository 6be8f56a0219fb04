# SPDX-License-Identifier: GPL-2.0-or-later
# A script's heap: 80,000 hashes in a list, sorted by one field, grouped by another. Most of the text is the
# same words: swap compresses it.
. "$(dirname "$0")/../common.sh"

prepare() {
    cat >"$dir/records.pl" <<'END'
use strict;
use warnings;
my $state = 9;
my $pad = " and more" x 60;
sub below { $state = ($state * 69069 + 12345) & 0xffffffff; return ($state >> 8) % $_[0]; }
my @records = map { { id => $_, key => below(1 << 24), name => "record $_ of " . below(5000) . $pad } } 1 .. 80000;
my @sorted = sort { $a->{key} <=> $b->{key} } @records;
my %groups;
push @{ $groups{$_->{key} % 1000} }, $_ for @sorted;
my $sum = 0;
for my $g (sort keys %groups) {
    $sum += length($_->{name}) for @{ $groups{$g} };
}
print "$sum\n";
END
}
workload() {
    env=$(installed env)
    perl=$(installed perl)
    echo "$env PERL_HASH_SEED=1 PERL_PERTURB_KEYS=0 $perl $dir/records.pl"
}
main
