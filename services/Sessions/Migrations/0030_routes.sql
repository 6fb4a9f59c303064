-- Paths of a provider below which it takes raw calls; null: where its wire takes them.
alter table provider add column raw_paths text[];
