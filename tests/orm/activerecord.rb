# ActiveRecord: schema.rb does not contain idgen's own relations, and loads into another database; models get their ids from the
# server.
require 'active_record'
require 'stringio'

def check(what, condition)
  abort "not ok - #{what}" unless condition
  puts "ok - #{what}"
end

ActiveRecord::Schema.verbose = false
dump = lambda do
  StringIO.new.tap { |io| ActiveRecord::SchemaDumper.dump(ActiveRecord::Base.connection, io) }.string
end

ActiveRecord::Base.establish_connection(adapter: 'postgresql', database: ENV['PGDATABASE'])
schema = dump.call
puts schema.gsub(/^/, '# ') unless ENV['VERBOSE'].to_s.empty?
tables = schema.scan(/create_table "(\w+)"/).flatten
check 'schema.rb has exactly the tables of the application', tables == %w[authors books reviews]
check 'schema.rb has the defaults of their ids', schema.scan(/id: :bigint, default: -> { "idgen_next\((?:'reviews'::text)?\)" }/).size == 3
check 'schema.rb has the extension', schema.include?('enable_extension "idgen"')

ActiveRecord::Base.connection.create_database('loaded')
ActiveRecord::Base.establish_connection(adapter: 'postgresql', database: 'loaded')
# A generator is data, which schema.rb does not contain.
seeded = schema.sub(/enable_extension "idgen"/, "\\0\n  execute \"SELECT FROM idgen_create_generator('reviews', 'js53')\"")
eval(seeded)
check 'schema.rb loads into another database', dump.call == schema

class Author < ActiveRecord::Base; has_many :books; end
class Book < ActiveRecord::Base; belongs_to :author; end
author = Author.create!(name: 'Ada')
check 'create! returns the id', author.id > 1 << 40 && Author.find(author.id).name == 'Ada'
check 'an association uses the id', author.books.create!(title: 'Notes').author_id == author.id
ids = Author.insert_all([{ name: 'Grace' }, { name: 'Barbara' }], returning: :id).rows.flatten
check 'insert_all returns the ids', ids.size == 2 && ids == ids.sort && Author.where(id: ids).count == 2
