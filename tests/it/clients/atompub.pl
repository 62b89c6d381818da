# Calls the methods of Atompub::Client that standard input lists, each as an array of the method's name and its
# parameters, and prints for each of them the answer's status and headers, and what XML::Atom read from it.
use strict;
use warnings;

use Atompub::Client;
use JSON::PP;

# Text comes as characters, not as bytes.
$XML::Atom::ForceUnicode = 1;

# What there is to read of each kind of thing; an @ says that there may be several.
my %FIELDS = (
    'XML::Atom::Service'    => [qw(@workspaces)],
    'XML::Atom::Workspace'  => [qw(title @collections)],
    'XML::Atom::Collection' => [qw(href title @accepts @categories)],
    'XML::Atom::Categories' => [qw(href fixed scheme @category)],
    'XML::Atom::Feed'       => [qw(id title updated generator @authors @links @entries)],
    'XML::Atom::Entry'      => [
        qw(id title summary published updated edited rights content @authors @contributors @categories @links)],
    'XML::Atom::Content'  => [qw(type src base body)],
    'XML::Atom::Person'   => [qw(name email uri)],
    'XML::Atom::Category' => [qw(term scheme label)],
    'XML::Atom::Link'     => [qw(rel href type)],
);

# The parts of an entry that are things themselves.
my %PARTS = (
    author      => 'XML::Atom::Person',
    contributor => 'XML::Atom::Person',
    category    => 'XML::Atom::Category',
    link        => 'XML::Atom::Link',
);

sub plain {
    my ($thing) = @_;
    my $fields = $FIELDS{ ref $thing } or return $thing;
    my %plain;
    for (@$fields) {
        my ($several, $name) = /^(\@?)(.*)/;
        $plain{$name} = $several ? [ map { plain($_) } $thing->$name ] : plain(scalar $thing->$name);
    }
    return \%plain;
}

sub built {
    my ($class, $plain) = @_;
    my $thing = $class->new;
    for my $name (sort keys %$plain) {
        my $value = $plain->{$name};
        $thing->$name(exists $PARTS{$name} ? map { built($PARTS{$name}, $_) } @$value : $value);
    }
    return $thing;
}

# An object stands for an entry, an array of one string for the bytes of a file.
sub parameter {
    my ($plain) = @_;
    return built('XML::Atom::Entry', $plain) if ref $plain eq 'HASH';
    return \$plain->[0] if ref $plain eq 'ARRAY';
    return $plain;
}

my $client = Atompub::Client->new;

sub answer {
    my ($method, @parameters) = @_;
    $client->$method(map { parameter($_) } @parameters);
    my $response = $client->response;
    return {
        status   => $response->code,
        headers  => { map { lc $_ => scalar $response->header($_) } $response->header_field_names },
        resource => plain($client->resource),
    };
}

my $json = JSON::PP->new->utf8->canonical;
my $calls = $json->decode(do { local $/; <STDIN> });
print $json->encode([ map { answer(@$_) } @$calls ]);
