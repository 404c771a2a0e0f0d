-- works since 0034
-- Tables whose rows change with every count are vacuumed after some thousand changes, and not after a fifth of their rows: until then every
-- change adds a row and an entry to each index. It takes no lock that a writer waits for.
alter table product_popularity set
  (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
alter table product_hour set (autovacuum_vacuum_scale_factor = 0.02);
alter table shopper_product set (autovacuum_vacuum_scale_factor = 0.02);
